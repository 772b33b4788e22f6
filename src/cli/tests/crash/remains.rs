//! What a run leaves in the world, without what differs between two equal runs: uids, versions, times.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::objects::WOKEN;
use crate::world::port::Cluster as _;
use crate::world::sim::Embedded;

/// Objects by site, kind, namespace and name; how many whole backups each store holds; and where names lead.
pub(super) type Remains = BTreeMap<String, Value>;

/// Objects that controllers make under names of their own.
const CONTROLLED: [&str; 2] = ["Pod", "ReplicaSet"];

/// Said by the server and different each time.
const OF_THE_SERVER: [&str; 6] = [
    "uid",
    "resourceVersion",
    "creationTimestamp",
    "managedFields",
    "generation",
    "ownerReferences",
];

pub(super) async fn remains(
    world: &Embedded,
    sites: &[String],
    stores: &[String],
    dns: &[String],
) -> Remains {
    let mut all = Remains::new();
    for site in sites {
        let cluster = world.cluster(site).unwrap();
        for kind in cluster.discover().await.unwrap() {
            if CONTROLLED.contains(&kind.kind.as_str()) {
                continue;
            }
            for object in cluster.list(&kind, None).await.unwrap() {
                let text = |pointer| object.pointer(pointer).and_then(Value::as_str).unwrap_or("");
                let (namespace, name) = (text("/metadata/namespace"), text("/metadata/name"));
                let place = format!("{site} {} {namespace}/{name}", kind.resource());
                all.insert(place, plain(object.clone()));
            }
        }
    }
    for store in stores {
        let keys = world.store(store).unwrap().keys();
        let whole = keys.iter().filter(|key| key.ends_with("/manifest.json")).count();
        let proved = keys.iter().filter(|key| key.ends_with("/verified.json")).count();
        all.insert(format!("{store} backups"), serde_json::json!([whole, proved]));
    }
    for server in dns {
        for (name, records) in world.names(server).unwrap().all() {
            all.insert(format!("{server} {name}"), serde_json::json!(records));
        }
    }
    all
}

fn plain(mut object: Value) -> Value {
    if let Some(fields) = object.as_object_mut() {
        fields.remove("status");
    }
    if let Some(metadata) = object["metadata"].as_object_mut() {
        metadata.retain(|name, _| !OF_THE_SERVER.contains(&name.as_str()));
    }
    // Who woke it stays; when that was is another moment in each run.
    let annotations = object["metadata"].get_mut("annotations");
    if let Some(Value::String(woken)) = annotations.and_then(|all| all.get_mut(WOKEN))
        && let Some(moment) = woken.find(" at ")
    {
        woken.truncate(moment);
    }
    object
}
