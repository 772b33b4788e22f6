use std::sync::Arc;

use bytes::Bytes;
use futures::stream::{self, StreamExt as _};
use jiff::Timestamp;

use super::{IDENTITY_KEY, pin_store, read_identity, site, store};
use crate::effect::ErrorKind;
use crate::objects::builtin;
use crate::runbook::{PLAIN_HTTP, Pins, Said, SitePin, StorePin};
use crate::world::directory::DirectoryStore;
use crate::world::port::{Answer, Cluster, PutMode, Store};
use crate::world::sim::Embedded;

fn world() -> Embedded {
    Embedded::starting_at(Timestamp::UNIX_EPOCH)
        .with_site("east")
        .with_site("west")
}

async fn pins(world: &Embedded) -> Pins {
    let mut pins = Pins::default();
    for name in ["east", "west"] {
        let seen = world.cluster(name).unwrap().identity().await.unwrap();
        let pin = SitePin {
            uid: seen.uid,
            authorities: vec![PLAIN_HTTP.into()],
            said: Said::default(),
        };
        pins.sites.insert(name.to_owned(), pin);
    }
    pins
}

fn changes(world: &Embedded, site: &str) -> usize {
    world.cluster(site).unwrap().audit().len()
}

#[tokio::test(start_paused = true)]
async fn swapped_sites_are_refused_by_name_and_nothing_is_sent_but_the_question() {
    let world = world();
    let pins = pins(&world).await;
    let other: Arc<dyn Cluster> = Arc::new(world.cluster("west").unwrap().clone());
    let east = site("east", other, &pins);
    let before = changes(&world, "west");
    let object = serde_json::json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}});
    let kind = builtin("namespace").unwrap();
    let error = east.create(&kind, &object).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::WrongIdentity);
    assert!(
        error
            .message
            .starts_with("it is not the cluster that is pinned: expected kube-system uid "),
        "{error}"
    );
    assert!(error.hints[0].contains("that is west by its pin"), "{error:?}");
    assert!(
        error.hints[1].contains("lifeboat sites pin east --repin --reason"),
        "{error:?}"
    );
    assert!(east.list(&kind, None).await.is_err(), "nothing is read either");
    assert_eq!(changes(&world, "west"), before);
    let own: Arc<dyn Cluster> = Arc::new(world.cluster("east").unwrap().clone());
    site("east", own, &pins).create(&kind, &object).await.unwrap();
}

/// A cluster that a stranger vouches for: it must not even be asked who it is.
struct Strange;

impl super::Gate for Strange {
    fn open(&self, _: super::Ask) -> Answer<'_, Arc<dyn Cluster>> {
        panic!("something was sent to it");
    }

    fn authorities(&self) -> Vec<String> {
        vec!["sha256:beef".to_owned()]
    }
}

#[tokio::test(start_paused = true)]
async fn an_authority_that_is_not_pinned_is_refused_before_anything_is_sent() {
    let mut pins = pins(&world()).await;
    pins.sites.get_mut("east").unwrap().authorities = vec!["sha256:cafe".into(), "sha256:f00d".into()];
    let east = site("east", Arc::new(super::Gated(Strange)), &pins);
    let error = east.identity().await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::WrongIdentity);
    insta::assert_snapshot!(error, @"east: its kubeconfig trusts an authority that is not pinned: expected sha256:cafe or sha256:f00d, found sha256:beef");
}

async fn put(store: &dyn Store, key: &str) -> Result<u64, ErrorKind> {
    let body = stream::iter([Ok(Bytes::from_static(b"x"))]).boxed();
    let done = store.put(key, body, PutMode::Replace).await;
    done.map_err(|error| error.kind)
}

#[tokio::test]
async fn a_store_that_was_emptied_or_is_another_one_gets_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| {
        let path = folder.path().join(name);
        std::fs::create_dir_all(&path).unwrap();
        Arc::new(DirectoryStore::new(&path))
    };
    let (one, two) = (at("one"), at("two"));
    let mut pins = Pins::default();
    for (name, place) in [("vault", &one), ("usb", &two)] {
        let identity = pin_store(&**place, "anna@desk", Timestamp::UNIX_EPOCH)
            .await
            .unwrap();
        let again = pin_store(&**place, "ben@desk", Timestamp::UNIX_EPOCH)
            .await
            .unwrap();
        assert_eq!(identity, again, "an identity is made once");
        assert_eq!(identity.id.len(), 16, "{identity:?}");
        let pin = StorePin {
            id: identity.id,
            said: Said::default(),
        };
        pins.stores.insert(name.to_owned(), pin);
    }
    assert_eq!(put(&*store("vault", one.clone(), &pins), "a").await, Ok(1));
    let swapped = store("vault", two.clone(), &pins);
    assert_eq!(put(&*swapped, "b").await, Err(ErrorKind::WrongIdentity));
    let error = swapped.list("").await.unwrap_err();
    assert!(error.hints[0].contains("that is usb by its pin"), "{error:?}");
    let sibling = swapped.sibling("kopia");
    assert_eq!(put(&*sibling, "c").await, Err(ErrorKind::WrongIdentity));
    one.delete(IDENTITY_KEY).await.unwrap();
    let emptied = store("vault", one.clone(), &pins);
    let error = emptied.list("").await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::WrongIdentity);
    assert!(
        error.message.contains("has none: it was emptied or made anew"),
        "{error}"
    );
    assert_eq!(put(&*emptied, "d").await, Err(ErrorKind::WrongIdentity));
    let keys = |found: Vec<crate::world::port::Stored>| -> Vec<String> {
        found.into_iter().map(|one| one.key).collect()
    };
    assert_eq!(keys(one.list("").await.unwrap()), ["a"]);
    assert_eq!(keys(two.list("").await.unwrap()), [IDENTITY_KEY]);
    // What does not answer is not taken for somebody else.
    let gone = store(
        "vault",
        Arc::new(DirectoryStore::new(folder.path().join("nowhere"))),
        &pins,
    );
    assert_eq!(put(&*gone, "e").await, Err(ErrorKind::NotFound));
    assert!(read_identity(&*one).await.unwrap().is_none());
}
