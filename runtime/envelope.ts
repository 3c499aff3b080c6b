/** The envelope's header on the wire. Fields that metrobus does not know are kept. */
export interface Header {
  /** A stack: the next stop is the last element. */
  route: string[];
  /** The route as it was given, a stack too. */
  original_route: string[];
  /** The stops visited and the one it is sent to, oldest first. */
  historical_route: string[];
  id: string;
  /** When the message first met metrobus, epoch ms. */
  boarded: number;
  [unknown: string]: unknown;
}
