//! Messages of Standard Webhooks.

use base64ct::{Base64, Encoding as _};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use crate::effect::Tell;
use crate::world::port::Notice;

/// What keys begin with, so that people and scanners know them.
const PREFIX: &str = "whsec_";

/// Bytes of a key, as the standard has it.
const KEY_MIN: usize = 24;

/// A key, ready to sign.
pub(super) struct Key(Hmac<Sha256>);

impl Key {
    /// Reads `whsec_<base64>`; the prefix may be missing.
    ///
    /// # Errors
    ///
    /// Why it is none, without it.
    pub(super) fn read(text: &str) -> Result<Self, String> {
        let written = text.strip_prefix(PREFIX).unwrap_or(text);
        let bytes = Base64::decode_vec(written).map_err(|_| format!("it is written {PREFIX}<base64>"))?;
        if bytes.len() < KEY_MIN {
            return Err(format!(
                "it has {} bytes, and {KEY_MIN} are the least",
                bytes.len()
            ));
        }
        let mac = Hmac::new_from_slice(&bytes).map_err(|error| error.to_string())?;
        Ok(Self(mac))
    }

    fn sign(&self, id: &str, seconds: &str, body: &str) -> String {
        let mut mac = self.0.clone();
        mac.update(format!("{id}.{seconds}.{body}").as_bytes());
        format!("v1,{}", Base64::encode_string(&mac.finalize().into_bytes()))
    }
}

/// The headers that sign a message, and its body.
pub(super) fn signed(notice: &Notice, key: &Key) -> (Vec<(String, String)>, String) {
    let body = serde_json::json!({
        "type": Tell::TYPE,
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
    let signature = key.sign(&notice.id, &seconds, &body);
    let headers = [
        ("webhook-id", notice.id.clone()),
        ("webhook-timestamp", seconds),
        ("webhook-signature", signature),
    ];
    let headers = headers.map(|(name, value)| (name.to_owned(), value));
    (headers.into(), body)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example that the standard's own libraries are tested with.
    #[test]
    fn a_signature_is_the_one_that_other_libraries_make() {
        let key = Key::read("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let id = "msg_p5jXN8AQM9LWM0D4loKWxJek";
        let signed = key.sign(id, "1614265330", r#"{"test": 2432232314}"#);
        assert_eq!(signed, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn what_is_no_key_is_refused_and_not_shown() {
        for (text, why) in [
            ("whsec_c2hvcnQ=", "it has 5 bytes, and 24 are the least"),
            ("not base64!", "it is written whsec_<base64>"),
            ("", "it has 0 bytes, and 24 are the least"),
        ] {
            assert_eq!(Key::read(text).err().unwrap(), why, "{text}");
        }
        assert!(
            Key::read("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").is_ok(),
            "without the prefix"
        );
    }
}
