//! What goes in comes out.

use lifeboat::archive::{Reader, WriteError, Writer, verify};
use lifeboat::objects::builtin;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{few, manifest, write};

fn read(archive: &[u8]) -> Vec<Value> {
    Reader::new(archive)
        .map(|archived| archived.unwrap().object)
        .collect()
}

#[test]
fn equal_objects_give_equal_archives() {
    let (one, contents) = write(few());
    let mut turned = few();
    turned.reverse();
    assert_eq!(write(turned).0, one);
    assert_eq!(contents.archive.size, one.len() as u64);
    assert_eq!(read(&one).len(), 3);
    let summary = verify(&one[..], &manifest(contents)).unwrap();
    assert_eq!((summary.objects, summary.copies), (3, 3));
}

#[test]
fn an_empty_archive_is_an_archive() {
    let (archive, contents) = write(Vec::new());
    assert!(read(&archive).is_empty());
    verify(&archive[..], &manifest(contents)).unwrap();
}

#[test]
fn long_and_odd_names_are_read_back_by_us_and_by_others() {
    let name = |name: &str| json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": name}});
    let resource = "clusterroles.rbac.authorization.k8s.io".to_owned();
    let names = [
        "system:controller:job",
        &"a".repeat(253),
        "rolle-für-ärzte",
        "with space",
        "back\\slash",
        "trailing.json",
        "..hidden",
    ];
    let (archive, contents) = write(names.iter().map(|n| (resource.clone(), name(n))).collect());
    let mut read: Vec<String> = Reader::new(&archive[..])
        .map(|archived| archived.unwrap().id.name)
        .collect();
    let mut expected = names.map(str::to_owned).to_vec();
    read.sort();
    expected.sort();
    assert_eq!(read, expected);
    verify(&archive[..], &manifest(contents)).unwrap();

    let mut tar = tar::Archive::new(flate2::read::GzDecoder::new(&archive[..]));
    let mut paths: Vec<String> = tar
        .entries()
        .unwrap()
        .map(|entry| String::from_utf8(entry.unwrap().path_bytes().into_owned()).unwrap())
        .filter_map(|path| {
            Some(
                path.strip_prefix("resources/clusterroles.rbac.authorization.k8s.io/cluster/")?
                    .to_owned(),
            )
        })
        .collect();
    paths.sort();
    let mut files: Vec<String> = expected.iter().map(|name| format!("{name}.json")).collect();
    files.sort();
    assert_eq!(paths, files);
}

#[test]
fn what_cannot_be_written_faithfully_is_refused() {
    let time = "2026-11-22T22:00:00Z".parse().unwrap();
    let mut writer = Writer::new(Vec::new(), time).unwrap();
    let config_map = builtin("ConfigMap").unwrap();
    let object = |name: &str, ns: Option<&str>| json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": ns}});
    for unfit in [
        object("a/b", Some("shop")),
        object("..", Some("shop")),
        object("a\nb", Some("shop")),
        object("a", Some("../bank")),
        object("a", None),
        json!({"kind": "ConfigMap", "metadata": {"name": "a", "namespace": "shop"}}),
        json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "a", "namespace": "shop"}}),
        object(&"x".repeat(2000), Some("shop")),
    ] {
        let error = writer.append(&config_map, unfit).unwrap_err();
        assert!(matches!(error, WriteError::Unfit { .. }), "{error}");
    }
    writer.append(&config_map, object("b", Some("shop"))).unwrap();
    writer.append(&config_map, object("a", Some("shop"))).unwrap();
    writer.append(&config_map, object("z", Some("bank"))).unwrap();
    writer
        .append(&builtin("Secret").unwrap(), {
            json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "a", "namespace": "shop"}})
        })
        .unwrap();
    // Its kind is over.
    let error = writer.append(&config_map, object("c", Some("shop"))).unwrap_err();
    assert!(matches!(error, WriteError::Again { .. }), "{error}");
    assert_eq!(writer.finish().unwrap().1.entries.len(), 4);
}

#[test]
fn no_object_is_written_twice_in_whatever_order_they_come() {
    let time = "2026-11-22T22:00:00Z".parse().unwrap();
    let mut writer = Writer::new(Vec::new(), time).unwrap();
    let config_map = builtin("ConfigMap").unwrap();
    let object = |name: &str| json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": "shop"}});
    for name in ["b", "a", "d", "c"] {
        writer.append(&config_map, object(name)).unwrap();
    }
    for name in ["a", "b", "c", "d"] {
        let error = writer.append(&config_map, object(name)).unwrap_err();
        assert!(matches!(error, WriteError::Again { .. }), "{error}");
    }
    let (archive, _) = writer.finish().unwrap();
    assert_eq!(read(&archive), ["b", "a", "d", "c"].map(object));
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>()
            .prop_filter("JSON has no others", |f| f.is_finite())
            .prop_map(Value::from),
        ".*".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::btree_map(".*", inner, 0..5)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(200) })]

    /// Texts of any characters, integers to the last digit, floats to the last bit.
    #[test]
    fn objects_come_out_as_they_went_in(
        specs in prop::collection::btree_map("[a-z0-9]([a-z0-9.-]{0,120}[a-z0-9])?", value(), 0..6),
    ) {
        let objects: Vec<Value> = specs.into_iter().map(|(name, spec)| json!({
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": name, "namespace": "shop"}, "spec": spec,
        })).collect();
        let (archive, contents) = write(objects.iter().map(|o| ("configmaps".to_owned(), o.clone())).collect());
        let mut back = read(&archive);
        let key = |object: &Value| object["metadata"]["name"].as_str().unwrap().to_owned();
        back.sort_by_key(key);
        let mut expected = objects;
        expected.sort_by_key(key);
        prop_assert_eq!(back, expected);
        prop_assert!(verify(&archive[..], &manifest(contents)).is_ok());
    }
}
