//! The small files beside an archive that Velero and its command line look for. None is needed to
//! restore; without them `velero backup describe` and `logs` have nothing to say.

use std::io::{self, Write as _};

use flate2::Compression;
use flate2::write::GzEncoder;
use serde::ser::{Serialize, SerializeMap as _, Serializer};
use serde_json::json;

use super::entries::{Entries, Place};
use super::{Entry, Keys, Manifest};

/// Key and bytes of each extra file of a backup without volumes.
///
/// # Errors
///
/// None that is known: compressing into memory does not fail.
pub fn extra_files(keys: &Keys, manifest: &Manifest, log: &str) -> io::Result<Vec<(String, Vec<u8>)>> {
    let mut files = vec![
        (keys.extra("logs.gz"), gzip(log.as_bytes())?),
        (
            keys.resource_list(),
            gzip_json(&ResourceList::of(&manifest.objects))?,
        ),
        (keys.results(), gzip_json(&json!({"errors": {}, "warnings": {}}))?),
    ];
    // Empty lists say "no volumes"; a missing file would be read as "not known".
    for name in [
        "itemoperations",
        "podvolumebackups",
        "volumeinfo",
        "volumesnapshots",
    ] {
        files.push((keys.extra(&format!("{name}.json.gz")), gzip_json(&json!([]))?));
    }
    Ok(files)
}

/// `{"apps/v1/Deployment": ["shop/web"]}`, sorted, and written without being made: only positions are
/// sorted.
pub(super) struct ResourceList<'a> {
    entries: &'a Entries,
    order: Vec<usize>,
}

impl<'a> ResourceList<'a> {
    pub(super) fn of(entries: &'a Entries) -> Self {
        let mut order: Vec<usize> = (0..entries.len())
            .filter(|at| entries.get(*at).is_some_and(|entry| entry.place().is_some()))
            .collect();
        order.sort_by(|a, b| match (entries.get(*a), entries.get(*b)) {
            (Some(a), Some(b)) => by_kind_and_place(&a, &b),
            (a, b) => a.is_some().cmp(&b.is_some()),
        });
        Self { entries, order }
    }

    fn at(&self, positions: &[usize]) -> Vec<Listed<'a>> {
        let entries = positions.iter().filter_map(|at| self.entries.get(*at));
        entries.map(Listed).collect()
    }
}

fn by_kind_and_place(a: &Entry<'_>, b: &Entry<'_>) -> std::cmp::Ordering {
    let kind = |entry: &Entry<'_>| format!("{}/{}", entry.api_version, entry.kind);
    let same = (a.api_version, a.kind) == (b.api_version, b.kind);
    let kinds = if same {
        std::cmp::Ordering::Equal
    } else {
        kind(a).cmp(&kind(b))
    };
    kinds.then_with(|| place(a).order(&place(b)))
}

fn place<'a>(entry: &Entry<'a>) -> Place<'a> {
    let (namespace, name) = entry.place().unwrap_or_default();
    Place(namespace, name)
}

impl Serialize for ResourceList<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        let kind = |at: &usize| self.entries.get(*at).map(|entry| (entry.api_version, entry.kind));
        for of_kind in self.order.chunk_by(|a, b| kind(a) == kind(b)) {
            if let Some((api_version, kind)) = of_kind.first().and_then(kind) {
                map.serialize_entry(&format!("{api_version}/{kind}"), &self.at(of_kind))?;
            }
        }
        map.end()
    }
}

/// An entry as it is listed.
struct Listed<'a>(Entry<'a>);

impl Serialize for Listed<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&place(&self.0))
    }
}

fn gzip_json(value: &impl Serialize) -> io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    serde_json::to_writer(&mut encoder, value)?;
    encoder.write_all(b"\n")?;
    encoder.finish()
}

fn gzip(bytes: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes)?;
    encoder.finish()
}
