/** What contactpoint's accounts cost: the time to load them, and the whole process's peak memory with them. */
import { accountBook } from "../stops/accounts.ts";
import "../stops/contact-point.ts";

const accounts = accountBook();
const started = performance.now();
await accounts.load();
const loadMs = Math.round(performance.now() - started);
const peakRssMb = Math.round(process.resourceUsage().maxRSS / 1024);

console.log(`${accounts.size} accounts in ${loadMs} ms; peak memory of the process: ${peakRssMb} MB`);
console.log(JSON.stringify({ accounts: accounts.size, loadMs, peakRssMb }));
