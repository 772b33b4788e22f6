//! Archives: what Velero wrote is read, what lifeboat writes is Velero's layout, and hostile or
//! damaged ones are refused.

#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "shared by tests: a failure is a failed test, and fixtures are files"
)]

mod damaged;
mod hostile;
mod malicious;
mod round_trip;
mod velero;

use std::path::PathBuf;

use lifeboat::archive::{Contents, Keys, Manifest, Origin, Reader, Writer};
use lifeboat::objects::{ApiKind, ObjectId};
use serde_json::{Value, json};

/// All objects of the backup that Velero 1.18.3 wrote, as they were captured.
pub(crate) fn captured() -> Vec<Value> {
    Reader::new(&fixture("shop-a.tar.gz")[..])
        .map(|archived| archived.unwrap().object)
        .collect()
}

/// A file of that backup.
fn fixture(name: &str) -> Vec<u8> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/it/fixtures/velero-1.18.3");
    std::fs::read(folder.join("backups/shop-a").join(name)).unwrap()
}

/// The kind of an object, from its resource name as an archive has it.
fn kind_of(resource: &str, object: &Value) -> ApiKind {
    let (plural, group) = resource.split_once('.').unwrap_or((resource, ""));
    let id = ObjectId::of(object).unwrap();
    ApiKind {
        group: group.into(),
        version: id.api_version.rsplit('/').next().unwrap().into(),
        kind: id.kind,
        plural: plural.into(),
        namespaced: id.namespace.is_some(),
    }
}

/// An archive of these objects, sorted first, and what is in it.
fn write(mut objects: Vec<(String, Value)>) -> (Vec<u8>, Contents) {
    objects.sort_by_key(|(resource, object)| {
        let id = ObjectId::of(object).unwrap();
        (resource.clone(), id.namespace, id.name)
    });
    let mut writer = Writer::new(Vec::new(), "2026-11-22T22:00:00Z".parse().unwrap()).unwrap();
    for (resource, object) in objects {
        writer.append(&kind_of(&resource, &object), object).unwrap();
    }
    writer.finish().unwrap()
}

fn manifest(contents: Contents) -> Manifest {
    Manifest {
        backup: Keys::of("shop-b").unwrap().name().to_owned(),
        tool: "lifeboat 0.1.0".into(),
        origin: Origin {
            site: "east".into(),
            uid: "0f0c".into(),
            version: "v1.37.2".into(),
        },
        consistent_at: "2026-11-22T22:00:00.9Z".parse().unwrap(),
        completed_at: "2026-11-22T22:00:07Z".parse().unwrap(),
        namespaces: vec!["shop".into()],
        kinds: Manifest::count_kinds(&contents.entries),
        objects: contents.entries,
        left_out: Vec::new(),
        archive: contents.archive,
        narrowed: Vec::new(),
        patterns: Vec::new(),
    }
}

/// Three small objects: two in a namespace, one without.
fn few() -> Vec<(String, Value)> {
    let object = |kind: &str, name: &str| json!({"apiVersion": "v1", "kind": kind, "metadata": {"name": name, "namespace": "shop"}, "data": {"k": name}});
    vec![
        ("configmaps".into(), object("ConfigMap", "a")),
        ("configmaps".into(), object("ConfigMap", "b")),
        (
            "namespaces".into(),
            json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}}),
        ),
    ]
}
