// Opens a signed ballot, votes for its four voters, each in another way, and prints the decision.
// Nothing of Flotilla is used but subjects and JSON; nkeys are read and written as NATS documents them.
import { connect } from "@nats-io/transport-node";
import { createHash, createPrivateKey, createPublicKey, randomBytes, sign } from "node:crypto";

const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
const USER = 20 << 3, SEED = 18 << 3;

function fromBase32(text) {
  const bits = [...text].map((sign) => ALPHABET.indexOf(sign).toString(2).padStart(5, "0")).join("");
  return Buffer.from(bits.match(/.{8}/g).map((byte) => parseInt(byte, 2)));
}

function toBase32(bytes) {
  const bits = [...bytes].map((byte) => byte.toString(2).padStart(8, "0")).join("");
  return bits.match(/.{1,5}/g).map((five) => ALPHABET[parseInt(five.padEnd(5, "0"), 2)]).join("");
}

function crc16(bytes) {
  let crc = 0;
  for (const byte of bytes) {
    crc ^= byte << 8;
    for (let bit = 0; bit < 8; bit++) crc = ((crc & 0x8000 ? (crc << 1) ^ 0x1021 : crc << 1)) & 0xffff;
  }
  return Buffer.from([crc & 0xff, crc >> 8]);
}

// A seed is two bytes of prefix (seed, and the type of the key), 32 bytes, and two of checksum.
function rawSeed(text) {
  const bytes = fromBase32(text), body = bytes.subarray(0, 34);
  const type = ((bytes[0] & 7) << 5) | (bytes[1] >> 3);
  if ((bytes[0] & 248) !== SEED || type !== USER || !crc16(body).equals(bytes.subarray(34, 36))) throw Error("no user seed");
  return body.subarray(2);
}

function keyOf(seed) {
  const pkcs8 = Buffer.concat([Buffer.from("302e020100300506032b657004220420", "hex"), seed]);
  const secret = createPrivateKey({ key: pkcs8, format: "der", type: "pkcs8" });
  const body = Buffer.concat([Buffer.from([USER]), createPublicKey(secret).export({ format: "der", type: "spki" }).subarray(-32)]);
  return { secret, name: toBase32(Buffer.concat([body, crc16(body)])) };
}

const sha256 = (text) => createHash("sha256").update(text).digest("hex");

function signature(key, ballot, voter, vote) {
  const lines = ["flotilla-vote-1", "default", ballot, ballot, voter, vote.choice, "", "", "", sha256(vote.rationale), sha256("")];
  return sign(null, Buffer.from(lines.join("\n")), key.secret).toString("base64");
}

const [ballot, seed] = process.argv.slice(2);
const keys = { ada: keyOf(rawSeed(seed)) };
for (const voter of ["bob", "dan", "eve"]) keys[voter] = keyOf(randomBytes(32));

const vote = { kind: "vote_cast", version: 1, choice: "go", rationale: "Es läuft – ✓" };
const other = { ...vote, choice: "stay" };
const right = signature(keys.ada, ballot, "ada", vote);
const votes = {
  bob: other,
  dan: { ...vote, signature: right },
  eve: { ...other, signature: signature(keys.ada, ballot, "eve", other) },
  ada: { ...vote, signature: right },
};

const nc = await connect({ servers: process.env.NATS_URL });
const subject = `flotilla.default.${ballot}`;
const decisions = nc.subscribe(`${subject}.decision.${ballot}`);
const say = (name, fact) => nc.publish(`${subject}.${name}`, JSON.stringify(fact));
say(`ballot.${ballot}`, {
  kind: "ballot_opened", version: 1, question: "Is it to go out?", options: [{ option: "go" }, { option: "stay" }],
  electorate: Object.keys(keys), deadline_s: 30, signed: true,
  keys: Object.fromEntries(Object.entries(keys).map(([voter, key]) => [voter, key.name])),
});
for (const [voter, cast] of Object.entries(votes)) say(`vote.${ballot}.${voter}`, cast);
for await (const decision of decisions) {
  console.log(JSON.stringify({ key: keys.ada.name, decision: decision.json() }));
  break;
}
await nc.close();
