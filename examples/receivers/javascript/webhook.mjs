// Tells whether a call is signed by Streamer (Standard Webhooks 1.0.0). Node 18 or later, no packages.

import { createHmac, createPublicKey, timingSafeEqual, verify as verifyPair } from "node:crypto";

const TOLERANCE_S = 300;
// What stands before the 32 bytes of an ed25519 public key in its DER form (RFC 8410).
const SPKI_ED25519 = Buffer.from("302a300506032b6570032100", "hex");

/**
 * Returns true for a call that is signed with the key ("whsec_..." or "whpk_...") and no older than five minutes.
 * `headers` has lower-case names, as node:http gives them; `body` is the Buffer that was received, before any parsing.
 */
export function verify(key, headers, body, nowS = Date.now() / 1000) {
  const id = headers["webhook-id"] ?? "";
  const timestamp = headers["webhook-timestamp"] ?? "";
  if (!id || id.includes(".") || !/^[0-9]{1,15}$/.test(timestamp)) return false;
  if (Math.abs(nowS - Number(timestamp)) > TOLERANCE_S) return false;
  const content = Buffer.concat([Buffer.from(`${id}.${timestamp}.`), body]);
  const [version, fits] = key.startsWith("whpk_") ? ["v1a", byPair(key, content)] : ["v1", bySecret(key, content)];
  // During a change of keys there are several signatures, one space between them. Entries of other kinds are none of ours.
  return (headers["webhook-signature"] ?? "").split(" ").some((entry) => {
    const comma = entry.indexOf(",");
    return entry.slice(0, comma) === version && fits(entry.slice(comma + 1));
  });
}

function bySecret(secret, content) {
  const key = Buffer.from(secret.replace(/^whsec_/, ""), "base64");
  const expected = Buffer.from(createHmac("sha256", key).update(content).digest("base64"));
  return (signature) => {
    const given = Buffer.from(signature);
    return given.length === expected.length && timingSafeEqual(given, expected);
  };
}

function byPair(publicKey, content) {
  const raw = Buffer.from(publicKey.slice("whpk_".length), "base64");
  const key = createPublicKey({ key: Buffer.concat([SPKI_ED25519, raw]), format: "der", type: "spki" });
  return (signature) => {
    const given = Buffer.from(signature, "base64");
    // Node forgives what is no base64; nobody else does.
    return given.toString("base64") === signature && verifyPair(null, content, key, given);
  };
}
