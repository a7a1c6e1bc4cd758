//! Tells whether a call is signed by Streamer (Standard Webhooks 1.0.0). Needs the crates `base64` 0.22 and `ring` 0.17.

use base64::{engine::general_purpose::STANDARD, Engine};
use ring::{hmac, signature};

const TOLERANCE_S: u64 = 300;

/// The three headers of a signed call, as they came.
pub struct Headers<'a> {
    pub id: &'a str,
    pub timestamp: &'a str,
    pub signature: &'a str,
}

/// Returns true for a call that is signed with the key ("whsec_..." or "whpk_...") and no older than five minutes.
/// `body` is what was received, byte by byte, before anything was parsed.
pub fn verify(key: &str, headers: &Headers, body: &[u8], now_s: u64) -> bool {
    let digits = headers.timestamp.bytes().all(|byte| byte.is_ascii_digit());
    let Ok(at_s) = headers.timestamp.parse::<u64>() else { return false };
    if !digits || headers.id.is_empty() || headers.id.contains('.') || now_s.abs_diff(at_s) > TOLERANCE_S {
        return false;
    }
    let content = [format!("{}.{}.", headers.id, headers.timestamp).as_bytes(), body].concat();
    let (kind, written) = match key.strip_prefix("whpk_") {
        Some(public) => ("v1a", public),
        None => ("v1", key.strip_prefix("whsec_").unwrap_or(key)),
    };
    let Ok(raw) = STANDARD.decode(written) else { return false };
    // During a change of keys there are several signatures, one space between them. Entries of other kinds are none of ours.
    let mut entries = headers.signature.split(' ').filter_map(|entry| entry.split_once(','));
    entries.any(|(version, text)| version == kind && STANDARD.decode(text).is_ok_and(|given| fits(kind, &raw, &content, &given)))
}

fn fits(kind: &str, key: &[u8], content: &[u8], given: &[u8]) -> bool {
    match kind {
        "v1a" => signature::UnparsedPublicKey::new(&signature::ED25519, key).verify(content, given).is_ok(),
        _ => hmac::verify(&hmac::Key::new(hmac::HMAC_SHA256, key), content, given).is_ok(),
    }
}
