//! Messages of Standard Webhooks.

use data_encoding::BASE64;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use crate::world::port::Notice;

/// What keys begin with, so that people and scanners know them.
const PREFIX: &str = "whsec_";

/// Bytes of a key, as the standard has it.
const KEY_MIN: usize = 24;

/// What a message is about: receivers choose by it.
const TYPE: &str = "lifeboat.notice";

/// The headers that sign a message, and its body.
///
/// # Errors
///
/// What is wrong with the key, without it.
pub(super) fn signed(notice: &Notice, key: &str) -> Result<(Vec<(String, String)>, String), String> {
    let body = serde_json::json!({
        "type": TYPE,
        "timestamp": notice.at.to_string(),
        "data": {
            "run": notice.run,
            "step": notice.step,
            "text": notice.text,
            "drill": notice.drill,
        },
    })
    .to_string();
    let seconds = notice.at.as_second().to_string();
    let signature = sign(&key_bytes(key)?, &notice.id, &seconds, &body)?;
    let headers = [
        ("webhook-id", notice.id.clone()),
        ("webhook-timestamp", seconds),
        ("webhook-signature", signature),
    ];
    let headers = headers.map(|(name, value)| (name.to_owned(), value));
    Ok((headers.into(), body))
}

/// Whether a text is a key.
///
/// # Errors
///
/// Why it is none, without it.
pub(super) fn key(text: &str) -> Result<(), String> {
    key_bytes(text).map(|_| ())
}

fn key_bytes(text: &str) -> Result<Vec<u8>, String> {
    let bytes = BASE64
        .decode(text.trim_start_matches(PREFIX).as_bytes())
        .map_err(|_| format!("it is written {PREFIX}<base64>"))?;
    if bytes.len() < KEY_MIN {
        return Err(format!("it has {} bytes, and {KEY_MIN} are the least", bytes.len()));
    }
    Ok(bytes)
}

fn sign(key: &[u8], id: &str, seconds: &str, body: &str) -> Result<String, String> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).map_err(|error| error.to_string())?;
    mac.update(format!("{id}.{seconds}.{body}").as_bytes());
    Ok(format!("v1,{}", BASE64.encode(&mac.finalize().into_bytes())))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example that the standard's own libraries are tested with.
    #[test]
    fn a_signature_is_the_one_that_other_libraries_make() {
        let key = key_bytes("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let id = "msg_p5jXN8AQM9LWM0D4loKWxJek";
        let signed = sign(&key, id, "1614265330", r#"{"test": 2432232314}"#).unwrap();
        assert_eq!(signed, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn what_is_no_key_is_refused_and_not_shown() {
        for (text, why) in [
            ("whsec_c2hvcnQ=", "it has 5 bytes, and 24 are the least"),
            ("not base64!", "it is written whsec_<base64>"),
            ("", "it has 0 bytes, and 24 are the least"),
        ] {
            assert_eq!(key(text).unwrap_err(), why, "{text}");
        }
        assert!(key("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").is_ok(), "without the prefix");
    }
}
