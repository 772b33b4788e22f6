//! The barest programs that could do a backup's reading and a restore's writing, for `make bench-restore`:
//! one line of JSON each. No plan, no journal, no order, no owners, no proof.
//!
//! `bare list KUBECONFIG CONTEXT`: discovery, then every kind of the cluster in pages.
//! `bare create KUBECONFIG CONTEXT ARCHIVE PREFIX`: the objects of a backup that a restore would make, into
//! namespaces whose names begin with `PREFIX`: the namespaces first, then the rest, 48 at once.

#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a measurement that cannot go on should say where, and prints what it measured"
)]

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use futures::stream::{self, StreamExt as _};
use lifeboat::archive::Reader;
use lifeboat::effect::ErrorKind;
use lifeboat::objects::{ApiKind, Namespaces, builtin, left_out_of_restore, rename, strip, take_owners};
use lifeboat::world::connect;
use lifeboat::world::port::{Cluster, Listed, Listing, PAGE, smaller};
use serde_json::{Value, json};

/// As many as a restore has.
const CREATES: usize = 48;

/// As many as a backup has.
const LISTS: usize = 8;

#[tokio::main]
async fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    let (work, kubeconfig, context) = (words[0], Path::new(words[1]), words[2]);
    let cluster = connect::cluster(context, Some(kubeconfig), context)
        .await
        .unwrap();
    let (began, count) = match work {
        "list" => (Instant::now(), list_all(&cluster).await),
        "create" => {
            let objects = read(Path::new(words[3]), words[4]);
            (Instant::now(), create_all(&cluster, objects).await)
        }
        other => panic!("{other}: list or create"),
    };
    println!(
        "{}",
        json!({ "seconds": began.elapsed().as_secs_f64(), "objects": count })
    );
}

async fn list_all(cluster: &Arc<dyn Cluster>) -> usize {
    let kinds = cluster.discover().await.unwrap();
    let counts = stream::iter(kinds).map(|kind| count(cluster.clone(), kind));
    counts
        .buffer_unordered(LISTS)
        .fold(0, async |sum, count| sum + count)
        .await
}

/// Objects of a kind, page after page; none of them is read.
async fn count(cluster: Arc<dyn Cluster>, kind: ApiKind) -> usize {
    let mut listing = Listing {
        kind,
        namespace: None,
        labels: None,
        limit: PAGE,
    };
    let (mut next, mut count) = (None, 0);
    loop {
        match cluster.page(&listing, next.as_deref()).await.unwrap() {
            Listed::Objects {
                items, next: more, ..
            } => {
                count += items.len();
                next = more;
            }
            Listed::Expired => (next, count) = (None, 0),
            Listed::TooLarge => {
                listing.limit = smaller(listing.limit);
                continue;
            }
        }
        if next.is_none() {
            return count;
        }
    }
}

/// The objects as a restore would send them, without owners.
fn read(archive: &Path, prefix: &str) -> Vec<Value> {
    let file = std::io::BufReader::new(std::fs::File::open(archive).unwrap());
    let objects: Vec<_> = Reader::new(file).map(|archived| archived.unwrap()).collect();
    let names: Namespaces = objects
        .iter()
        .filter(|archived| archived.resource == "namespaces")
        .map(|archived| (archived.id.name.clone(), format!("{prefix}{}", archived.id.name)))
        .collect();
    let wanted = objects.into_iter().map(|archived| archived.object);
    let wanted = wanted.filter(|object| left_out_of_restore(object).is_none());
    let fitted = wanted.map(|object| {
        let mut object = rename(strip(object), &names);
        take_owners(&mut object);
        object
    });
    fitted.collect()
}

async fn create_all(cluster: &Arc<dyn Cluster>, objects: Vec<Value>) -> usize {
    let is_namespace = |object: &Value| object["kind"] == "Namespace";
    let (namespaces, others): (Vec<_>, Vec<_>) = objects.into_iter().partition(is_namespace);
    create(cluster, namespaces).await + create(cluster, others).await
}

async fn create(cluster: &Arc<dyn Cluster>, objects: Vec<Value>) -> usize {
    let made = stream::iter(objects).map(|object| async move {
        let kind = builtin(object["kind"].as_str().unwrap()).unwrap();
        match cluster.create(&kind, &object).await {
            // Its namespace's controller was faster with the account `default`.
            Err(error) if error.kind == ErrorKind::Conflict => 0,
            created => {
                created.unwrap();
                1
            }
        }
    });
    made.buffer_unordered(CREATES)
        .fold(0, async |sum, one| sum + one)
        .await
}
