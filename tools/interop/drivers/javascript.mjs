// Reads cases from stdin and answers each: what the official library says, what the example says, how the library signs.

import { readFileSync } from "node:fs";
import { Webhook } from "standardwebhooks";
import { verify } from "./webhook.mjs";

const answers = readFileSync(0, "latin1").split("\n").filter(Boolean).map((line) => {
  const [number, check, secret, id, timestamp, signature, encoded, library] = line.split("\t");
  const body = Buffer.from(encoded, "base64");
  const headers = { "webhook-id": id, "webhook-timestamp": timestamp, "webhook-signature": signature };
  const asked = library === "1" && check.startsWith("whsec_");
  return [
    number,
    asked ? byLibrary(check, headers, body) : "-",
    verify(check, headers, body) ? "ok" : "refused",
    asked ? new Webhook(secret).sign(id, new Date(Number(timestamp) * 1000), body) : "-",
  ].join("\t");
});
process.stdout.write(answers.join("\n") + "\n");

function byLibrary(key, headers, body) {
  try {
    new Webhook(key).verify(body, headers);
    return "ok";
  } catch (error) {
    // Once the signature is found valid, the library parses the body, which need not be JSON.
    return error instanceof SyntaxError ? "ok" : "refused";
  }
}
