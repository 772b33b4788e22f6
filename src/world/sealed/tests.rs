//! Sealed for two, opened by each of them, and by nobody else.

use std::io::Write as _;

use age::secrecy::ExposeSecret as _;
use age::x25519::Identity as Pair;

use super::*;
use crate::world::sim::Embedded;

struct Stage {
    world: Embedded,
    pairs: [Pair; 2],
    folder: tempfile::TempDir,
}

impl Stage {
    fn new() -> Self {
        Self {
            world: Embedded::starting_at(jiff::Timestamp::UNIX_EPOCH).with_store("vault"),
            pairs: [Pair::generate(), Pair::generate()],
            folder: tempfile::tempdir().expect("a folder"),
        }
    }

    /// The store, opened with this identity; `None`: it can only be written.
    fn opened_by(&self, pair: Option<&Pair>) -> Sealed {
        let identities = pair.map(|pair| {
            let path = self.folder.path().join("key.txt");
            let mut file = std::fs::File::create(&path).expect("a file");
            writeln!(file, "# a comment\n{}", pair.to_string().expose_secret()).expect("written");
            path
        });
        let sealing = Sealing {
            recipients: self
                .pairs
                .iter()
                .map(|pair| pair.to_public().to_string())
                .collect(),
            identities,
        };
        let world = self.world.world();
        let inner = world.stores.get("vault").expect("a store").clone();
        Sealed::around("vault", inner, &sealing).expect("keys")
    }

    fn stored(&self, key: &str) -> Bytes {
        self.world
            .store("vault")
            .and_then(|store| store.peek(key))
            .expect("there")
    }
}

async fn put(store: &Sealed, key: &str, text: &[u8]) -> Result<u64, WorldError> {
    let pieces: Vec<_> = text
        .chunks(1000)
        .map(|piece| Ok(Bytes::copy_from_slice(piece)))
        .collect();
    store
        .put(key, stream::iter(pieces).boxed(), PutMode::Create)
        .await
}

async fn get(store: &Sealed, key: &str) -> Result<Vec<u8>, WorldError> {
    let body = store.get(key).await?;
    let pieces: Vec<Bytes> = body.try_collect().await?;
    Ok(pieces.concat())
}

fn long() -> Vec<u8> {
    b"a customer's secret; ".repeat(20_000)
}

#[tokio::test(start_paused = true)]
async fn each_recipient_opens_what_was_sealed_and_the_store_never_sees_it() {
    let stage = Stage::new();
    for (key, text) in [("backups/a/archive", long()), ("backups/a/empty", Vec::new())] {
        let written = put(&stage.opened_by(None), key, &text).await.expect("written");
        assert_eq!(written, text.len() as u64);
        let stored = stage.stored(&format!("{key}.age"));
        assert!(stored.starts_with(b"age-encryption.org/v1\n"));
        let shows = |stored: &[u8]| stored.windows(8).any(|window| window == b"customer");
        assert!(!shows(&stored) && (shows(&text) || text.is_empty()));
        for pair in &stage.pairs {
            assert_eq!(
                get(&stage.opened_by(Some(pair)), key).await.expect("opened"),
                text
            );
        }
    }
    let listed = stage.opened_by(None).list("backups/").await.expect("listed");
    let keys: Vec<_> = listed.iter().map(|one| one.key.as_str()).collect();
    assert_eq!(keys, ["backups/a/archive", "backups/a/empty"]);
}

#[tokio::test(start_paused = true)]
async fn nobody_else_opens_it_and_each_is_told_why() {
    let stage = Stage::new();
    put(&stage.opened_by(None), "k", b"text").await.expect("written");
    assert_eq!(stage.opened_by(None).secrecy(), Secrecy::Sealed { opens: false });
    let none = get(&stage.opened_by(None), "k").await.expect_err("no identity");
    assert_eq!(none.kind, ErrorKind::Unauthenticated);
    insta::assert_snapshot!(none.message, @"k is sealed, and this machine has no identity to open it");
    let other = get(&stage.opened_by(Some(&Pair::generate())), "k")
        .await
        .expect_err("another");
    assert_eq!(other.kind, ErrorKind::Unauthenticated);
    insta::assert_snapshot!(other.message, @"k.age was not sealed for any identity of this machine");
    let missing = get(&stage.opened_by(Some(&stage.pairs[0])), "nothing")
        .await
        .expect_err("missing");
    assert_eq!(
        missing.kind,
        ErrorKind::NotFound,
        "the store's own word: {missing}"
    );
}

#[tokio::test(start_paused = true)]
async fn no_byte_of_what_is_sealed_can_change_or_be_cut_unnoticed() {
    let stage = Stage::new();
    put(&stage.opened_by(None), "k", &long()[..300])
        .await
        .expect("written");
    let (store, size) = (
        stage.opened_by(Some(&stage.pairs[0])),
        stage.stored("k.age").len(),
    );
    let vault = stage.world.store("vault").expect("a store");
    for at in 0..size {
        assert!(vault.damage("k.age", at));
        let error = get(&store, "k").await.expect_err("damaged");
        // A byte of a stanza decides for whom it is: changed, it is for nobody.
        let expected = [ErrorKind::Damaged, ErrorKind::Unauthenticated];
        assert!(expected.contains(&error.kind), "byte {at}: {error}");
        assert!(vault.damage("k.age", at), "and back again");
    }
    let whole = stage.stored("k.age");
    for cut in [0, 1, 30, size / 2, size - 1] {
        vault.plant("k.age", whole.slice(..cut));
        assert_eq!(
            get(&store, "k").await.expect_err("cut").kind,
            ErrorKind::Damaged,
            "{cut}"
        );
    }
    vault.plant("k.age", "in plain text");
    assert_eq!(get(&store, "k").await.expect_err("open").kind, ErrorKind::Damaged);
}

#[tokio::test(start_paused = true)]
async fn a_body_that_breaks_off_leaves_nothing() {
    let stage = Stage::new();
    let broken = WorldError::new(ErrorKind::Internal, "worker", "out of paper");
    let pieces = [Ok(Bytes::from(long())), Err(broken.clone())];
    let body = stream::iter(pieces).boxed();
    let failed = stage.opened_by(None).put("k", body, PutMode::Create).await;
    assert_eq!(failed, Err(broken));
    assert!(stage.world.store("vault").expect("a store").keys().is_empty());
    put(&stage.opened_by(None), "k", b"first").await.expect("written");
    let second = put(&stage.opened_by(None), "k", b"second").await;
    assert_eq!(second.expect_err("taken").kind, ErrorKind::Conflict);
}

#[test]
#[expect(clippy::disallowed_methods, reason = "identities are a file")]
fn what_is_no_key_is_refused_and_never_printed() {
    let stage = Stage::new();
    let inner = stage.world.world().stores.get("vault").expect("a store").clone();
    let around = |recipients: &[&str], identities: Option<&str>| {
        let path = stage.folder.path().join("keys");
        let sealing = Sealing {
            recipients: recipients.iter().map(|text| (*text).to_owned()).collect(),
            identities: identities.map(|text| {
                std::fs::write(&path, text).expect("written");
                path.clone()
            }),
        };
        Sealed::around("vault", inner.clone(), &sealing)
            .err()
            .expect("refused")
    };
    let good = stage.pairs[0].to_public().to_string();
    insta::assert_snapshot!(around(&["age1nonsense"], None), @"vault: `age1nonsense` is not a recipient of age");
    for wrong in ["", "# nothing\n", "AGE-SECRET-KEY-1QQQSECRET\n", "hunter2\n"] {
        let error = around(&[&good], Some(wrong));
        assert_eq!(error.kind, ErrorKind::Rejected);
        assert!(
            error.message.ends_with("is not a file of age identities"),
            "{error}"
        );
        assert!(error.causes.is_empty(), "the parser quotes what it reads");
    }
}
