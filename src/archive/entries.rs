//! The objects of a manifest: many, each in as few bytes as it takes.
//!
//! ## Why
//!
//! Whoever makes, verifies or restores a backup holds all of its entries. As five texts each they took
//! about 300 bytes, most of them the same few folders and kinds again and again; here it is the
//! name and some 60 bytes. In the stored document nothing of this shows.

use std::cmp::Ordering;
use std::fmt;

use serde::ser::SerializeStruct as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::path::ObjectPath;
use crate::objects::{Names, Texts};
use crate::text::{each, hex};

/// The objects of an archive, in its order.
#[derive(Clone, Default)]
pub struct Entries {
    /// Folders, API versions and kinds.
    common: Names,
    /// The names of the files.
    files: Texts,
    rows: Vec<Row>,
}

#[derive(Clone, Copy)]
struct Row {
    sha256: [u8; 32],
    size: u64,
    folder: u32,
    api_version: u32,
    kind: u32,
}

/// One object of an archive.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Entry<'a> {
    /// `resources/deployments.apps/namespaces/shop/`.
    folder: &'a str,
    /// `web.json`.
    file: &'a str,
    /// `apps/v1`.
    pub api_version: &'a str,
    /// `Deployment`.
    pub kind: &'a str,
    /// Of its bytes in the archive.
    pub sha256: &'a [u8; 32],
    /// Of its bytes in the archive.
    pub size: u64,
}

impl Entries {
    /// Adds one at the end; `path` is its plain path.
    pub fn push(&mut self, path: &str, api_version: &str, kind: &str, sha256: [u8; 32], size: u64) {
        let (folder, file) = path.split_at(path.rfind('/').map_or(0, |at| at + 1));
        self.files.push(file);
        self.rows.push(Row {
            sha256,
            size,
            folder: self.common.number(folder),
            api_version: self.common.number(api_version),
            kind: self.common.number(kind),
        });
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The entry at a position.
    pub fn get(&self, at: usize) -> Option<Entry<'_>> {
        let row = self.rows.get(at)?;
        Some(Entry {
            folder: self.common.text(row.folder),
            file: self.files.get(at)?,
            api_version: self.common.text(row.api_version),
            kind: self.common.text(row.kind),
            sha256: &row.sha256,
            size: row.size,
        })
    }

    /// All of them from a position on.
    pub fn from(&self, first: usize) -> impl Iterator<Item = Entry<'_>> {
        (first..self.len()).filter_map(|at| self.get(at))
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = Entry<'_>> {
        self.from(0)
    }
}

impl<'a> Entry<'a> {
    /// Its plain path: `resources/deployments.apps/namespaces/shop/web.json`.
    pub fn path(&self) -> String {
        format!("{}{}", self.folder, self.file)
    }

    /// Whether that is its path.
    pub fn is_at(&self, path: &str) -> bool {
        path.strip_prefix(self.folder) == Some(self.file)
    }

    /// Its path, taken apart.
    pub(super) fn parsed(&self) -> Option<ObjectPath> {
        ObjectPath::parse(&self.path())
    }

    /// Namespace (empty: none) and name; `None`: its path is not one of an object.
    pub(super) fn place(&self) -> Option<(&'a str, &'a str)> {
        let name = self.file.strip_suffix(".json")?;
        let mut folders = self.folder.strip_prefix("resources/")?.split('/');
        folders.next()?;
        let place = match (folders.next()?, folders.next()?) {
            ("cluster", "") => "",
            ("namespaces", namespace) => namespace,
            _ => return None,
        };
        Some((place, name))
    }
}

/// `shop/web`, or the name alone.
pub(super) struct Place<'a>(pub(super) &'a str, pub(super) &'a str);

impl Place<'_> {
    /// As the texts would be ordered, without making them.
    pub(super) fn order(&self, other: &Place<'_>) -> Ordering {
        self.bytes().cmp(other.bytes())
    }

    fn bytes(&self) -> impl Iterator<Item = u8> {
        let separator = if self.0.is_empty() { "" } else { "/" };
        self.0.bytes().chain(separator.bytes()).chain(self.1.bytes())
    }
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self("", name) => f.write_str(name),
            Self(namespace, name) => write!(f, "{namespace}/{name}"),
        }
    }
}

impl fmt::Debug for Entry<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.path(), hex(self.sha256))
    }
}

impl fmt::Debug for Entries {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl PartialEq for Entries {
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len() && self.iter().eq(other.iter())
    }
}

impl Eq for Entries {}

impl Serialize for Entry<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut entry = serializer.serialize_struct("Entry", 5)?;
        entry.serialize_field("path", &self.path())?;
        entry.serialize_field("apiVersion", self.api_version)?;
        entry.serialize_field("kind", self.kind)?;
        entry.serialize_field("sha256", &hex(self.sha256))?;
        entry.serialize_field("size", &self.size)?;
        entry.end()
    }
}

impl Serialize for Entries {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

/// An entry as it is stored.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Stored {
    path: String,
    api_version: String,
    kind: String,
    sha256: String,
    size: u64,
}

impl<'de> Deserialize<'de> for Entries {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut entries = Self::default();
        each(deserializer, "objects", |one: Stored| {
            let sha256 = unhex(&one.sha256).ok_or("a checksum is not one")?;
            entries.push(&one.path, &one.api_version, &one.kind, sha256, one.size);
            Ok(())
        })?;
        Ok(entries)
    }
}

/// 64 hex digits as bytes. Capital letters are refused: they would not be written.
fn unhex(digits: &str) -> Option<[u8; 32]> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let mut bytes = [0; 32];
    let pairs = digits.as_bytes().chunks_exact(2);
    if digits.len() != 64 {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(pairs) {
        *byte = digit(*pair.first()?)? << 4 | digit(*pair.get(1)?)?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries() -> Entries {
        let mut entries = Entries::default();
        for (path, sum) in [
            ("resources/namespaces/cluster/shop.json", 1),
            ("resources/secrets/namespaces/shop/db.json", 2),
            ("resources/secrets/namespaces/shop/web.json", 3),
            ("flat", 4),
        ] {
            entries.push(path, "v1", "Secret", [sum; 32], u64::from(sum));
        }
        entries
    }

    #[test]
    fn entries_come_out_as_they_went_in() {
        let entries = entries();
        let paths: Vec<String> = entries.iter().map(|entry| entry.path()).collect();
        assert_eq!(
            paths,
            [
                "resources/namespaces/cluster/shop.json",
                "resources/secrets/namespaces/shop/db.json",
                "resources/secrets/namespaces/shop/web.json",
                "flat",
            ]
        );
        let second = entries.get(1).unwrap();
        assert_eq!((second.sha256, second.size), (&[2; 32], 2));
        assert!(second.is_at("resources/secrets/namespaces/shop/db.json"));
        assert!(!second.is_at("resources/secrets/namespaces/shop/db.json.json"));
        assert!(!second.is_at("db.json"));
        assert_eq!(entries.get(4), None);
    }

    #[test]
    fn the_stored_form_is_five_texts_and_a_checksum_that_is_not_one_is_refused() {
        let stored = serde_json::to_string(&entries()).unwrap();
        let first = format!(
            r#"[{{"path":"resources/namespaces/cluster/shop.json","apiVersion":"v1","kind":"Secret","sha256":"{}","size":1}},"#,
            "01".repeat(32)
        );
        assert!(stored.starts_with(&first), "{stored}");
        assert_eq!(serde_json::from_str::<Entries>(&stored).unwrap(), entries());
        for wrong in ["0A", "0", "g0", "010"] {
            let other = stored.replacen("01", wrong, 1);
            assert!(serde_json::from_str::<Entries>(&other).is_err(), "{wrong}");
        }
    }

    #[test]
    fn places_are_ordered_as_their_texts_are() {
        let places = [
            ("shop", "a"),
            ("shop-eu", "a"),
            ("", "shop"),
            ("shop", "b"),
            ("", "a"),
        ];
        for one in places {
            for other in places {
                let (a, b) = (Place(one.0, one.1), Place(other.0, other.1));
                assert_eq!(a.order(&b), a.to_string().cmp(&b.to_string()), "{a} {b}");
            }
        }
    }
}
