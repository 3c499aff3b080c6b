import type { IncomingMessage } from "node:http";
import ipaddr from "ipaddr.js";
import type { Config, Logger } from "metrobus";
import type { Refusal } from "./visitor.ts";

/** What is known of a request that may have come by a proxy. The headers of a proxy are believed from the addresses in WEB_TRUST_PROXY only. */
export interface TrustedProxy {
  /** Whom the proxy names in WEB_TRUST_HEADER; null: nobody. */
  user(request: IncomingMessage): string | Refusal | null;
  /** The visitor's address; of IPv6 the network (/64), since its addresses are one visitor's to choose. */
  address(request: IncomingMessage): string;
  /** Whether the visitor came by TLS. */
  isSecure(request: IncomingMessage): boolean;
  /** The host, with its port, that the visitor asked for. */
  host(request: IncomingMessage): string;
}

const LONGEST_NAME = 200;
/** So many addresses are told of, each once. */
const TOLD_OF = 100;

export function trustedProxy({ trustHeader, trustProxy }: Config["web"], log: Logger): TrustedProxy {
  const ranges = trustProxy.map(rangeOf);
  const toldOf = new Set<string>();

  function isTrusted(address: string): boolean {
    if (!ipaddr.isValid(address)) return false;
    const found = ipaddr.process(address);
    return ranges.some(([range, bits]) => range.kind() === found.kind() && found.match(range, bits));
  }

  function tellOf(address: string): void {
    if (toldOf.has(address) || toldOf.size >= TOLD_OF) return;
    toldOf.add(address);
    log.warn(
      { address, header: trustHeader },
      "a header that only a proxy may send was ignored: it came from an address that is not in WEB_TRUST_PROXY",
    );
  }

  const sender = (request: IncomingMessage) => request.socket.remoteAddress ?? "";
  /** The first value: the visitor's, should it have come by several proxies. */
  const forwarded = (request: IncomingMessage, name: "proto" | "host" | "for") =>
    isTrusted(sender(request)) ? listOf(request.headers[`x-forwarded-${name}`]) : [];

  return {
    user(request) {
      const given = trustHeader === null ? undefined : request.headersDistinct[trustHeader];
      if (!given) return null;
      if (!isTrusted(sender(request))) return (tellOf(sender(request)), null);
      const name = textOf(given[0]!);
      if (given.length === 1 && name.length <= LONGEST_NAME) return name || null;
      return {
        status: 400,
        error: `the proxy's header ${trustHeader} must hold one name of at most ${LONGEST_NAME} characters`,
      };
    },
    address(request) {
      const hops = [sender(request), ...forwarded(request, "for").map(withoutPort).reverse()];
      return networkOf(hops.find((hop) => !isTrusted(hop)) ?? hops.at(-1)!);
    },
    isSecure: (request) => "encrypted" in request.socket || forwarded(request, "proto")[0] === "https",
    host: (request) => forwarded(request, "host")[0] ?? request.headers.host ?? "",
  };
}

function rangeOf(text: string): [ipaddr.IPv4 | ipaddr.IPv6, number] {
  if (text.includes("/")) return ipaddr.parseCIDR(text);
  const address = ipaddr.process(text);
  return [address, address.kind() === "ipv4" ? 32 : 128];
}

function networkOf(text: string): string {
  if (!ipaddr.isValid(text)) return text.slice(0, 50);
  const address = ipaddr.process(text);
  if (address instanceof ipaddr.IPv4) return address.toString();
  const network = address.parts.slice(0, 4).map((part) => part.toString(16));
  return `${network.join(":")}::/64`;
}

/** Some proxies tell the visitor's port too, and that is another one for each of his connections. */
const withoutPort = (hop: string): string => hop.replace(/^\[(.*)\](:\d+)?$|^([\d.]+):\d+$/, "$1$3");

const listOf = (header: string | string[] | undefined): string[] =>
  String(header ?? "")
    .split(",")
    .map((each) => each.trim())
    .filter(Boolean);

/** Node takes each byte of a header for a character; names are UTF-8. */
const textOf = (header: string): string => Buffer.from(header, "latin1").toString().trim();
