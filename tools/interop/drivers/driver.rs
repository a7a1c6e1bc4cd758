//! Reads cases from stdin and answers each: what the official library says, what the example says, how the library signs.

mod webhook;

use base64::{engine::general_purpose::STANDARD, Engine};
use http::HeaderMap;
use std::io::{self, BufRead, Write};
use std::time::{SystemTime, UNIX_EPOCH};

fn main() {
    let mut out = io::BufWriter::new(io::stdout());
    for line in io::stdin().lock().lines() {
        let line = line.unwrap();
        let fields: Vec<&str> = line.split('\t').collect();
        writeln!(out, "{}", answer(&fields)).unwrap();
    }
}

fn answer(fields: &[&str]) -> String {
    let (check, secret, id, timestamp, signature) = (fields[1], fields[2], fields[3], fields[4], fields[5]);
    let body = STANDARD.decode(fields[6]).unwrap();
    let headers = webhook::Headers { id, timestamp, signature };
    let now_s = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let (mut library, mut signed) = ("-", "-".to_string());
    if fields[7] == "1" && check.starts_with("whsec_") {
        let mut map = HeaderMap::new();
        map.insert("webhook-id", id.parse().unwrap());
        map.insert("webhook-timestamp", timestamp.parse().unwrap());
        map.insert("webhook-signature", signature.parse().unwrap());
        library = verdict(standardwebhooks::Webhook::new(check).unwrap().verify(&body, &map).is_ok());
        let signer = standardwebhooks::Webhook::new(secret).unwrap();
        signed = signer.sign(id, timestamp.parse().unwrap(), &body).unwrap_or("-".to_string());
    }
    format!("{}\t{}\t{}\t{}", fields[0], library, verdict(webhook::verify(check, &headers, &body, now_s)), signed)
}

fn verdict(good: bool) -> &'static str {
    if good { "ok" } else { "refused" }
}
