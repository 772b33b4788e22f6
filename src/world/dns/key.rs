//! The file of a key, as `tsig-keygen` writes it and `nsupdate -k` reads it.
//!
//! ```text
//! key "lifeboat" {
//!     algorithm hmac-sha256;
//!     secret "…";
//! };
//! ```

use std::path::Path;

use data_encoding::BASE64;
use hickory_proto::rr::rdata::tsig::TsigAlgorithm;
use hickory_proto::rr::{Name, TSigner};

use crate::world::secret;

/// Seconds by which the clocks may differ: what every other client says too (RFC 8945, 10).
const FUDGE_S: u16 = 300;

/// Reads a key.
///
/// # Errors
///
/// Why there is none, with the file's name and without anything that it holds.
pub(super) async fn read(file: &Path) -> Result<TSigner, String> {
    let text = secret::in_file(file, "key").await?;
    parse(&text).map_err(|why| format!("{} holds no key: {why}", file.display()))
}

fn parse(text: &str) -> Result<TSigner, String> {
    let words = words(text);
    let after = |word: &str| {
        let at = words.iter().position(|one| one == word);
        let next = at.and_then(|at| words.get(at + 1));
        next.ok_or_else(|| format!("it says no `{word}`"))
    };
    let name = after("key")?;
    let name = Name::from_ascii(format!("{}.", name.trim_end_matches('.')))
        .map_err(|_| "its name is no domain name".to_owned())?;
    let algorithm = algorithm(after("algorithm")?)?;
    let secret = BASE64
        .decode(after("secret")?.as_bytes())
        .map_err(|_| "its secret is not base64".to_owned())?;
    if secret.is_empty() {
        return Err("its secret is empty".to_owned());
    }
    TSigner::new(secret, algorithm, name, FUDGE_S).map_err(|error| error.to_string())
}

/// Words without the signs around them; comments are none.
fn words(text: &str) -> Vec<String> {
    let lines = text.lines().map(|line| {
        let end = [line.find('#'), line.find("//")].into_iter().flatten().min();
        // A secret may hold `//`: it stands between quotes.
        match end {
            Some(end) if !line[..end].contains('"') => &line[..end],
            _ => line,
        }
    });
    let signs = |one: char| one.is_whitespace() || "{};\"".contains(one);
    lines
        .flat_map(|line| line.split(signs))
        .filter(|word| !word.is_empty())
        .map(str::to_owned)
        .collect()
}

fn algorithm(name: &str) -> Result<TsigAlgorithm, String> {
    match name.trim_end_matches('.').to_ascii_lowercase().as_str() {
        "hmac-sha256" => Ok(TsigAlgorithm::HmacSha256),
        "hmac-sha384" => Ok(TsigAlgorithm::HmacSha384),
        "hmac-sha512" => Ok(TsigAlgorithm::HmacSha512),
        _ => Err("its algorithm is none of hmac-sha256, hmac-sha384 and hmac-sha512; make one with `tsig-keygen -a hmac-sha256`".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "# made by hand\nkey \"lifeboat.acme\" {\n\talgorithm hmac-sha256;\n\tsecret \"AAEC//QFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\";\n};\n";

    #[test]
    fn a_key_is_read_as_tsig_keygen_writes_it() {
        let signer = parse(KEY).unwrap();
        assert_eq!(signer.signer_name().to_ascii(), "lifeboat.acme.");
        assert_eq!(signer.key().len(), 32);
        let one_line = "key lifeboat. { algorithm HMAC-SHA512.; secret \"AAECAwQFBgc=\"; }; // made by hand";
        assert_eq!(parse(one_line).unwrap().key().len(), 8);
    }

    #[test]
    fn what_is_no_key_is_refused_without_what_it_holds() {
        for (from, to, why) in [
            ("key \"lifeboat.acme\"", "", "it says no `key`"),
            ("secret", "secrets", "it says no `secret`"),
            ("hmac-sha256", "hmac-md5", "its algorithm is none of"),
            ("AAEC", "AAE", "its secret is not base64"),
            ("lifeboat.acme", "life..boat", "its name is no domain name"),
        ] {
            let error = parse(&KEY.replace(from, to)).err().unwrap();
            assert!(error.starts_with(why), "{from}: {error}");
            assert!(!error.contains("QFBgc"), "{error}");
        }
    }
}
