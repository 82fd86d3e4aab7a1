import { connect } from "@nats-io/transport-node";

const nc = await connect({ servers: process.env.NATS_URL ?? "127.0.0.1:4222" });
const run = `flotilla.default.js-${Date.now()}`;
const facts = nc.subscribe(`${run}.>`);
nc.publish(`${run}.run.requested`, JSON.stringify({ kind: "run_requested", version: 1, idea: process.argv[2] }));
for await (const fact of facts) {
  const { kind, status = "", reason = "" } = fact.json();
  console.log(fact.subject, kind, status, reason);
  if (kind === "run_closed") await nc.close();
}
