//! One tar header, read strictly and written as Go's `archive/tar` does, because Velero uses that.
//!
//! ## Why
//!
//! Tar programs disagree about odd archives, and an attacker lives on that. So what Go never writes
//! is refused: links, devices, sparse files, global headers, two names for one file, a size that is
//! told twice and differs.

use tar::{EntryType, Header};

/// The size of a header and the unit of everything.
pub(super) const BLOCK: usize = 512;

/// A block of a tar.
pub(super) type Block = [u8; BLOCK];

/// What a header announces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Announced {
    /// A regular file.
    File,
    /// A folder: tolerated, means nothing.
    Folder,
    /// The next header's name and more, in records.
    Records,
    /// The next header's name (GNU).
    LongName,
}

/// A header that may be.
#[derive(Debug)]
pub(super) struct Parsed {
    pub(super) announced: Announced,
    pub(super) name: Vec<u8>,
    pub(super) size: u64,
}

/// Reads one header; `Err` says why it is refused.
pub(super) fn parse(block: &Block) -> Result<Parsed, String> {
    let header = Header::from_byte_slice(block);
    let mut summed = header.clone();
    summed.set_cksum();
    if header.cksum().ok() != summed.cksum().ok() {
        return Err("the checksum of its header is wrong".into());
    }
    if header.as_ustar().is_none() && header.as_gnu().is_none() {
        return Err("its header is of an unknown format".into());
    }
    let announced = match header.entry_type() {
        EntryType::Regular => Announced::File,
        EntryType::Directory => Announced::Folder,
        EntryType::XHeader => Announced::Records,
        EntryType::GNULongName => Announced::LongName,
        EntryType::Link | EntryType::Symlink => return Err("it is a link".into()),
        other => {
            return Err(format!(
                "it is neither file nor folder (type {:#04x})",
                other.as_byte()
            ));
        }
    };
    Ok(Parsed {
        announced,
        name: header.path_bytes().into_owned(),
        size: header.entry_size().map_err(|_| "its size is not a number")?,
    })
}

/// What records say about the next file.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Records {
    pub(super) path: Option<Vec<u8>>,
    pub(super) size: Option<u64>,
}

/// Records that change nothing that is used here.
const HARMLESS: &[&str] = &[
    "mtime", "atime", "ctime", "uid", "gid", "uname", "gname", "comment",
];

/// Reads `<length> <key>=<value>\n` records; `Err` says why they are refused.
pub(super) fn records(mut body: &[u8]) -> Result<Records, String> {
    let malformed = || "its extension header is malformed".to_owned();
    let mut found = Records::default();
    while !body.is_empty() {
        let space = body.iter().position(|byte| *byte == b' ').ok_or_else(malformed)?;
        let (digits, _) = body.split_at(space);
        let length: usize = std::str::from_utf8(digits)
            .ok()
            .and_then(|digits| digits.parse().ok())
            .ok_or_else(malformed)?;
        let record = body.get(space + 1..length).ok_or_else(malformed)?;
        let record = record.strip_suffix(b"\n").ok_or_else(malformed)?;
        let equals = record
            .iter()
            .position(|byte| *byte == b'=')
            .ok_or_else(malformed)?;
        found.take(
            record.get(..equals).unwrap_or_default(),
            record.get(equals + 1..).unwrap_or_default(),
        )?;
        body = body.get(length..).unwrap_or_default();
    }
    Ok(found)
}

impl Records {
    fn take(&mut self, key: &[u8], value: &[u8]) -> Result<(), String> {
        let key = std::str::from_utf8(key).unwrap_or("?");
        let twice = match key {
            "path" => self.path.replace(value.to_owned()).is_some(),
            "size" => {
                let size = std::str::from_utf8(value).ok().and_then(|text| text.parse().ok());
                self.size
                    .replace(size.ok_or("its extended size is not a number")?)
                    .is_some()
            }
            key if HARMLESS.contains(&key) => false,
            key => {
                return Err(format!(
                    "its extension header has {key:?}, which backups do not use"
                ));
            }
        };
        if twice {
            return Err(format!("its extension header says {key} twice"));
        }
        Ok(())
    }
}

/// The headers before a file's content. A path that does not fit into a plain header gets an extension
/// header, as Go writes it.
pub(super) fn file(path: &str, size: u64, mtime: u64) -> Vec<u8> {
    let mut blocks = Vec::with_capacity(BLOCK);
    let mut header = plain(EntryType::Regular, size, mtime);
    if !path.is_ascii() || header.set_path(path).is_err() {
        let record = record("path", path);
        let mut extension = plain(EntryType::XHeader, record.len() as u64, mtime);
        set_name(&mut extension, "PaxHeaders.0/object.json");
        set_name(&mut header, path);
        blocks.extend(finished(extension));
        blocks.extend(record.as_bytes());
        blocks.resize(blocks.len().next_multiple_of(BLOCK), 0);
    }
    blocks.extend(finished(header));
    blocks
}

fn plain(kind: EntryType, size: u64, mtime: u64) -> Header {
    let mut header = Header::new_ustar();
    header.set_entry_type(kind);
    header.set_mode(0o755);
    header.set_uid(0);
    header.set_gid(0);
    header.set_size(size);
    header.set_mtime(mtime);
    header
}

/// What old programs show; the extension header has the whole name.
fn set_name(header: &mut Header, path: &str) {
    let name = &mut header.as_old_mut().name;
    *name = [0; 100];
    for (slot, byte) in name.iter_mut().zip(path.bytes()) {
        *slot = if byte.is_ascii_graphic() { byte } else { b'_' };
    }
}

fn finished(mut header: Header) -> Block {
    header.set_cksum();
    *header.as_bytes()
}

/// One record; its length counts its own digits.
fn record(key: &str, value: &str) -> String {
    let bare = key.len() + value.len() + 3;
    let mut length = bare + 1;
    while bare + length.to_string().len() != length {
        length += 1;
    }
    format!("{length} {key}={value}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_counts_its_own_length() {
        for length in 1..300 {
            let record = record("path", &"x".repeat(length));
            let said: usize = record.split(' ').next().unwrap().parse().unwrap();
            assert_eq!(said, record.len());
            let read = records(record.as_bytes()).unwrap();
            assert_eq!(read.path.unwrap().len(), length);
        }
    }

    #[test]
    fn records_that_backups_do_not_use_are_refused() {
        for (key, value) in [
            ("linkpath", "/etc"),
            ("GNU.sparse.size", "1"),
            ("SCHILY.xattr.user", "x"),
        ] {
            assert!(records(record(key, value).as_bytes()).is_err(), "{key}");
        }
        let twice = record("path", "a") + &record("path", "b");
        assert!(records(twice.as_bytes()).is_err());
        assert_eq!(records(record("mtime", "1.5").as_bytes()), Ok(Records::default()));
    }

    #[test]
    fn malformed_records_are_refused() {
        for body in [
            "x",
            "9 path=a",
            "99 path=a\n",
            "0 path=a\n",
            "3 a\n",
            "18446744073709551616 a=b\n",
        ] {
            assert!(records(body.as_bytes()).is_err(), "{body}");
        }
    }

    #[test]
    fn a_header_is_written_as_it_is_read() {
        let long = format!("resources/{}/cluster/{}.json", "a".repeat(200), "b".repeat(250));
        let blocks = file(&long, 7, 1);
        assert_eq!(blocks.len() % BLOCK, 0);
        let first = parse(blocks[..BLOCK].try_into().unwrap()).unwrap();
        assert_eq!(first.announced, Announced::Records);
        let body = &blocks[BLOCK..BLOCK + usize::try_from(first.size).unwrap()];
        assert_eq!(records(body).unwrap().path.unwrap(), long.as_bytes());
        let last = parse(blocks[blocks.len() - BLOCK..].try_into().unwrap()).unwrap();
        assert_eq!((last.announced, last.size), (Announced::File, 7));

        let short = file("resources/pods/cluster/a.json", 7, 1);
        assert_eq!(short.len(), BLOCK);
        assert_eq!(
            parse(short[..].try_into().unwrap()).unwrap().name,
            b"resources/pods/cluster/a.json"
        );
    }
}
