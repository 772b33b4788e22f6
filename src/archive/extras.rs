//! The small files beside an archive that Velero and its command line look for. None is needed to
//! restore; without them `velero backup describe` and `logs` have nothing to say.

use std::collections::BTreeMap;
use std::io::{self, Write as _};

use flate2::Compression;
use flate2::write::GzEncoder;
use serde::Serialize;
use serde_json::json;

use super::path::ObjectPath;
use super::{Keys, Manifest};

/// Key and bytes of each extra file of a backup without volumes.
///
/// # Errors
///
/// None that is known: compressing into memory does not fail.
pub fn extra_files(keys: &Keys, manifest: &Manifest, log: &str) -> io::Result<Vec<(String, Vec<u8>)>> {
    let mut files = vec![
        (keys.extra("logs.gz"), gzip(log.as_bytes())?),
        (keys.resource_list(), gzip_json(&resource_list(manifest))?),
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

/// `{"apps/v1/Deployment": ["shop/web"]}`, sorted.
pub(super) fn resource_list(manifest: &Manifest) -> BTreeMap<String, Vec<String>> {
    let mut list: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for entry in &manifest.objects {
        let Some(path) = ObjectPath::parse(&entry.path) else {
            continue;
        };
        let name = match path.namespace {
            Some(namespace) => format!("{namespace}/{}", path.name),
            None => path.name,
        };
        list.entry(format!("{}/{}", entry.api_version, entry.kind))
            .or_default()
            .push(name);
    }
    for names in list.values_mut() {
        names.sort();
    }
    list
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
