// aimock on a free port of this machine: prints its address, and ends when whoever started it does (stdin closes).
import { LLMock } from "@copilotkit/aimock";

const mock = new LLMock({ port: 0, host: "127.0.0.1", chunkSize: 4 });
await mock.start();
console.log(mock.url);
process.stdin.on("end", () => process.exit()).resume();
