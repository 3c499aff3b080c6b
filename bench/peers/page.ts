/** The status page as a process of its own. Its settings come from the environment; it says on stderr where it is. */
import { startWeb } from "../../web-status/server.ts";
import { answer } from "./answer.ts";

const web = await startWeb();
process.stderr.write(`page ${web.url}\n`);
answer();
