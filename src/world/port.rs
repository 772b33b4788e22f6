//! What a cluster, a store and the network must be able to do: small, so that a second implementation
//! is easy, and honest, so that created is told from changed and a lost reply from a refusal.
//!
//! No port retries, and none has a deadline for anything longer than one request.

use bytes::Bytes;
use futures::future::BoxFuture;
use futures::stream::BoxStream;
use jiff::Timestamp;
use serde_json::Value;

use super::doctor::Bench;
use crate::effect::{ErrorKind, Firmness, Method, NameSeen, Records, SiteSeen, WorldError};
use crate::objects::{ApiKind, LabelSelector};
use crate::text::DomainName;

/// The result of a port's method.
pub type Answer<'a, T> = BoxFuture<'a, Result<T, WorldError>>;

/// Who owns the fields that we set, as an API server keeps it.
pub const MANAGER: &str = "lifeboat";

/// One Kubernetes API server. Objects are JSON with apiVersion and kind set.
pub trait Cluster: Send + Sync {
    /// Who may vouch for its API server, known without asking it: `sha256:<hex>` of each authority's
    /// certificate, or a word of [`crate::runbook::SitePin`] or [`super::pinned::UNVERIFIED`]. None: it is in
    /// this process, or nobody knows a way to it.
    fn authorities(&self) -> Vec<String> {
        Vec::new()
    }

    /// Which cluster this is.
    fn identity(&self) -> Answer<'_, SiteSeen>;

    /// Every kind that can be listed and created, in its preferred version, without subresources.
    /// Fails if any group could not be discovered: a partial answer is not an answer.
    fn discover(&self) -> Answer<'_, Vec<ApiKind>>;

    /// All objects of a kind, in one namespace or in all, read in pages at one consistent version.
    fn list<'a>(&'a self, kind: &'a ApiKind, namespace: Option<&'a str>) -> Answer<'a, Vec<Value>>;

    /// One page of a listing: the first, or the one that the page before named. For whoever cannot
    /// hold all of them; it has to see for itself that all pages are of one version.
    fn page<'a>(&'a self, listing: &'a Listing, next: Option<&'a str>) -> Answer<'a, Listed>;

    /// One object; `None` where there is none.
    fn get<'a>(
        &'a self,
        kind: &'a ApiKind,
        namespace: Option<&'a str>,
        name: &'a str,
    ) -> Answer<'a, Option<Value>>;

    /// Creates; an existing object of that name is a `Conflict`.
    fn create<'a>(&'a self, kind: &'a ApiKind, object: &'a Value) -> Answer<'a, Value>;

    /// Server-side apply with field manager `lifeboat`. Fields that another manager owns are a
    /// `Conflict` unless forced.
    fn apply<'a>(&'a self, kind: &'a ApiKind, object: &'a Value, force: bool) -> Answer<'a, Applied>;

    /// JSON merge patch; `subresource` such as `scale` or `status`.
    fn patch<'a>(
        &'a self,
        kind: &'a ApiKind,
        namespace: Option<&'a str>,
        name: &'a str,
        subresource: Option<&'a str>,
        patch: &'a Value,
    ) -> Answer<'a, Value>;

    /// Runs a program in a container and waits for its end, however long that takes. A connection that
    /// breaks is a `LostReply`: the program may go on.
    fn run<'a>(&'a self, command: &'a Command<'a>) -> Answer<'a, Executed>;

    /// Whether the server would take this object as a new one; nothing is changed. That one of this name
    /// is there is no objection.
    fn check_create<'a>(&'a self, kind: &'a ApiKind, object: &'a Value) -> Answer<'a, ()>;

    /// Whether the server would do this now; nothing is changed.
    fn check_change<'a>(&'a self, kind: &'a ApiKind, trial: Trial<'a>) -> Answer<'a, ()>;

    /// Deletes exactly the object with this uid, if it still has this resource version: else it is a
    /// `Conflict`. `false`: it was not there.
    fn delete_unchanged<'a>(
        &'a self,
        kind: &'a ApiKind,
        namespace: Option<&'a str>,
        name: &'a str,
        uid: &'a str,
        version: &'a str,
    ) -> Answer<'a, bool>;

    /// Deletes exactly the object with this uid. `false`: it was not there.
    fn delete<'a>(
        &'a self,
        kind: &'a ApiKind,
        namespace: Option<&'a str>,
        name: &'a str,
        uid: &'a str,
    ) -> Answer<'a, bool>;

    /// The same API server in the hands of a service account, with a token that is asked for now, and over
    /// connections of its own.
    // Nothing is assumed here: a wrapper that forgot to pass this on would act as somebody else.
    fn act_as<'a>(&'a self, account: &'a Account<'a>) -> Answer<'a, Acting>;

    /// Whether whoever asks holds a right, as the server judges it.
    fn may<'a>(&'a self, right: &'a Right<'a>) -> Answer<'a, bool>;
}

/// A service account, and for how long its hands are wanted.
#[derive(Clone, Copy, Debug)]
pub struct Account<'a> {
    /// Where it is.
    pub namespace: &'a str,
    /// Which.
    pub name: &'a str,
    /// Seconds; API servers give ten minutes at least.
    pub lifetime_s: u64,
}

/// A cluster in the hands of a service account.
#[derive(Clone)]
pub struct Acting {
    /// Whoever has it acts as that account.
    pub cluster: std::sync::Arc<dyn Cluster>,
    /// For so many seconds, as the server granted it.
    pub lifetime_s: u64,
}

/// A right, in Kubernetes' words; `*` is all of them.
#[derive(Clone, Copy, Debug)]
pub struct Right<'a> {
    /// `delete`.
    pub verb: &'a str,
    /// API group.
    pub group: &'a str,
    /// Plural, with a subresource after `/` where one is meant.
    pub resource: &'a str,
    /// In one namespace; `None`: in every one.
    pub namespace: Option<&'a str>,
}

/// A program in a container.
#[derive(Clone, Copy, Debug)]
pub struct Command<'a> {
    /// Where.
    pub namespace: &'a str,
    /// Which pod.
    pub pod: &'a str,
    /// Which of its containers; `None`: the server's choice.
    pub container: Option<&'a str>,
    /// The program and its arguments.
    pub argv: &'a [String],
}

/// How a program ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Executed {
    /// Its exit code.
    pub code: i32,
    /// The beginning of what it printed, at most [`PRINTED_MAX`] bytes.
    pub stdout: Vec<u8>,
    /// The end of what it complained, at most [`PRINTED_MAX`] bytes.
    pub stderr: Vec<u8>,
    /// It printed more than is kept.
    pub cut: bool,
}

/// Of what a program prints, so much is kept: enough for a value or an error, and a dump is not to be
/// had this way.
pub const PRINTED_MAX: usize = 64 * 1024;

/// A change that is only asked about.
#[derive(Clone, Copy, Debug)]
pub enum Trial<'a> {
    /// As [`Cluster::apply`].
    Apply {
        /// The whole object.
        object: &'a Value,
        /// Whether fields of others are taken.
        force: bool,
    },
    /// As [`Cluster::patch`].
    Patch {
        /// Where.
        namespace: Option<&'a str>,
        /// Which object.
        name: &'a str,
        /// Which part of it.
        subresource: Option<&'a str>,
        /// What changes.
        patch: &'a Value,
    },
    /// As [`Cluster::delete`].
    Delete {
        /// Where.
        namespace: Option<&'a str>,
        /// Which object.
        name: &'a str,
        /// Exactly this one.
        uid: &'a str,
    },
}

/// Objects per page: kubectl's and Velero's number too. The server answers one in well under a
/// second, and holds one page in memory at a time.
pub const PAGE: usize = 500;

/// Bytes of a page of more than one object: 500 pods have five or six MiB. An object may have several
/// by itself, and 500 of those would not fit into memory.
pub const PAGE_BYTES_MAX: usize = 8 * 1024 * 1024;

/// The limit by which a page is asked for again that was too large: objects are as likely a little too
/// large as very much, and each attempt costs [`PAGE_BYTES_MAX`].
pub fn smaller(limit: usize) -> usize {
    (limit / 8).max(1)
}

/// What is to be listed, and how much of it at once.
#[derive(Clone, Debug)]
pub struct Listing {
    /// The kind.
    pub kind: ApiKind,
    /// One namespace, or all.
    pub namespace: Option<String>,
    /// Only objects with these labels; the server chooses.
    pub labels: Option<LabelSelector>,
    /// Objects per page; a server may give fewer, and some give more.
    pub limit: usize,
}

/// One page of a listing.
#[derive(Clone, Debug)]
pub enum Listed {
    /// Objects, in the server's own order.
    Objects {
        /// The JSON of each, without copying: they share the page's buffer. Where it says no `apiVersion`
        /// and `kind`, it is of the kind that was listed.
        items: Vec<Bytes>,
        /// The state that this page shows.
        version: String,
        /// By which the next page is asked for; `None`: this was the last.
        next: Option<String>,
    },
    /// The page has more than [`PAGE_BYTES_MAX`] and was not read to its end: it has to be asked for again
    /// with a smaller limit. A page that may have one object only is never too large.
    TooLarge,
    /// The server has forgotten the state that the first page showed: nothing of the listing so far
    /// may be used.
    Expired,
}

impl Listing {
    /// One object of a page, with its `apiVersion` and `kind`.
    ///
    /// # Errors
    ///
    /// It is no JSON.
    pub fn object(kind: &ApiKind, text: &[u8]) -> Result<Value, serde_json::Error> {
        let mut object: Value = serde_json::from_slice(text)?;
        if let Value::Object(fields) = &mut object {
            // Items of built-in kinds come without: the list says them once for all.
            fields
                .entry("apiVersion")
                .or_insert_with(|| kind.api_version().into());
            fields.entry("kind").or_insert_with(|| kind.kind.clone().into());
        }
        Ok(object)
    }
}

/// What a server-side apply did.
#[derive(Clone, Debug, PartialEq)]
pub struct Applied {
    /// The object as the server has it now.
    pub object: Value,
    /// It was not there before (the server answered 201).
    pub created: bool,
}

/// One object store or a part of one. Keys are relative to the store's prefix.
pub trait Store: Send + Sync {
    /// `s3://bucket/prefix` or the folder: for people.
    fn address(&self) -> String;

    /// Whether its objects are encrypted before they leave this machine.
    fn secrecy(&self) -> Secrecy {
        Secrecy::Plain
    }

    /// All entries under a prefix, sorted by key.
    fn list<'a>(&'a self, prefix: &'a str) -> Answer<'a, Vec<Stored>>;

    /// The names between a prefix, which ends with `/` or is empty, and the next `/`, sorted: folders, where
    /// keys are taken for paths.
    fn folders<'a>(&'a self, prefix: &'a str) -> Answer<'a, Vec<String>> {
        Box::pin(async move {
            let listed = self.list(prefix).await?;
            let names = listed.iter().filter_map(|entry| {
                let (name, _) = entry.key.strip_prefix(prefix)?.split_once('/')?;
                Some(name.to_owned())
            });
            let names: std::collections::BTreeSet<String> = names.collect();
            Ok(names.into_iter().collect())
        })
    }

    /// One object's bytes as a stream; a missing one is `NotFound`.
    fn get<'a>(&'a self, key: &'a str) -> Answer<'a, BoxStream<'static, Result<Bytes, WorldError>>>;

    /// Writes one object of a stream of unknown length; nothing is visible until all of it is there.
    fn put<'a>(
        &'a self,
        key: &'a str,
        body: BoxStream<'static, Result<Bytes, WorldError>>,
        mode: PutMode,
    ) -> Answer<'a, u64>;

    /// Deletes one object; a missing one is no error. Where versions are kept, a locked one is only hidden,
    /// and the store says that it is gone.
    fn delete<'a>(&'a self, key: &'a str) -> Answer<'a, ()>;

    /// What keeps this object from being deleted, in the store's own words; a missing one is `NotFound`, or
    /// has none.
    fn locked<'a>(&'a self, key: &'a str) -> Answer<'a, Locked>;

    /// What is under a prefix and not in a listing, where versions are kept: what was deleted, and what was
    /// written over. Sorted by key.
    // Nothing is assumed here: a wrapper that forgot to pass this on would say that nothing is hidden.
    fn hidden<'a>(&'a self, prefix: &'a str) -> Answer<'a, Vec<Hidden>>;

    /// Takes the mark away by which an object counts as deleted; what is under it is listed again.
    /// [`no_versions`] where none are kept.
    fn unhide<'a>(&'a self, key: &'a str, marker: &'a str) -> Answer<'a, ()>;

    /// The same store, locking everything that it writes.
    ///
    /// # Errors
    ///
    /// `Rejected`: its objects cannot be locked.
    fn locking(&self, retention: Retention) -> Result<std::sync::Arc<dyn Store>, WorldError> {
        let message = format!("objects cannot be locked here ({})", retention.mode.word());
        Err(WorldError::new(ErrorKind::Rejected, self.address(), message)
            .hint("a lock takes an S3 bucket that was made with object lock"))
    }

    /// What can be tried of it beyond reading and writing, where it offers that.
    fn bench(&self) -> Option<&dyn Bench> {
        None
    }

    /// The same store, writing and reading under a sibling of its prefix (`shop/` → `shop-<suffix>/`):
    /// Velero refuses foreign folders inside its own.
    fn sibling(&self, suffix: &str) -> std::sync::Arc<dyn Store>;
}

/// Why nothing can be taken out of hiding in a store that keeps no versions.
pub fn no_versions(store: &dyn Store, key: &str) -> WorldError {
    let message = format!("{key}: no versions are kept here");
    WorldError::new(ErrorKind::Rejected, store.address(), message)
}

/// What a store holds of one key and does not list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hidden {
    /// Relative to the store's prefix.
    pub key: String,
    /// So many versions.
    pub versions: u64,
    /// Bytes of all of them.
    pub bytes: u64,
    /// The mark by which the object counts as deleted; `None`: a newer version is listed.
    pub marker: Option<String>,
}

/// How the objects of a store lie there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Secrecy {
    /// As they were given; the store may encrypt them, and then it holds the key.
    Plain,
    /// Encrypted by lifeboat. Sizes in listings are those of the encrypted bytes.
    Sealed {
        /// Whether this machine has a key that opens them.
        opens: bool,
    },
}

/// Until when an object cannot be deleted, and by whom not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// By whom.
    pub mode: Firmness,
    /// In whole seconds.
    pub until: Timestamp,
}

/// `2026-12-23T07:17:49Z (compliance)`.
impl std::fmt::Display for Retention {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ({})", self.until, self.mode.word())
    }
}

/// What keeps an object from being deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Locked {
    /// Nothing.
    No,
    /// A lock with an end.
    Until(Retention),
    /// A legal hold: until somebody lifts it.
    Held,
    /// The store does not say, and why.
    Unknown(String),
}

/// What to do with an object that is already there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PutMode {
    /// Refuse as `Conflict`. Not every S3 server keeps this; the store probe finds out.
    Create,
    /// Replace it.
    Replace,
}

/// One entry of a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// Relative to the store's prefix.
    pub key: String,
    /// In bytes.
    pub size: u64,
    /// As the store says, where it says.
    pub modified: Option<Timestamp>,
}

/// One DNS server that is the primary of some zones and takes changes.
pub trait Names: Send + Sync {
    /// What a name has now, from the server itself and no cache; `None`: it is in none of its zones.
    fn look<'a>(&'a self, name: &'a DomainName) -> Answer<'a, Option<NameSeen>>;

    /// Whether a name has exactly the records `from`, nothing that `to` cannot stand beside, and whoever asks is let in;
    /// nothing is changed. What is otherwise is a `Conflict`. That this very name may be changed by whoever asks, only
    /// [`Names::swap`] shows.
    fn check<'a>(&'a self, name: &'a DomainName, from: &'a Records, to: &'a Records) -> Answer<'a, ()>;

    /// Gives a name other records, all at once, under the conditions of [`Names::check`]: else it is a `Conflict` and
    /// nothing is changed.
    fn swap<'a>(&'a self, name: &'a DomainName, from: &'a Records, to: &'a Records) -> Answer<'a, ()>;
}

/// The network as a customer sees it.
pub trait Web: Send + Sync {
    /// One `GET`; redirects are not followed; at most [`BODY_MAX`] bytes of the body are read.
    fn get<'a>(&'a self, url: &'a str) -> Answer<'a, Page>;

    /// Sends one request that may change something, once; redirects are not followed; at most [`BODY_MAX`]
    /// bytes of the answer's body are read. An answer that does not come is a `LostReply` unless surely nothing
    /// was sent.
    fn send<'a>(&'a self, request: &'a Outgoing) -> Answer<'a, Page>;

    /// Opens a TCP connection to `host:port` and closes it.
    fn connect<'a>(&'a self, address: &'a str) -> Answer<'a, ()>;
}

/// Somebody who can be told what happens.
pub trait Receiver: Send + Sync {
    /// Tells once. An answer that does not come is a `LostReply` unless surely nothing was sent.
    fn tell<'a>(&'a self, notice: &'a Notice) -> Answer<'a, ()>;

    /// Whether they know a repeat by its [`Notice::id`], so that they may be told again after a lost reply.
    fn knows_repeats(&self) -> bool;

    /// Whether they could be told, as far as that can be tried without telling anybody; what was found, as a fragment
    /// for people that holds no secret.
    fn check(&self) -> Answer<'_, String>;
}

/// What is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// Same for every attempt: by it a repeat is known.
    pub id: String,
    /// When it was to be told.
    pub at: Timestamp,
    /// The run.
    pub run: String,
    /// The step.
    pub step: String,
    /// What is said, without a secret.
    pub text: String,
    /// It is said in a drill; the text says so too.
    pub drill: bool,
}

/// Enough for a health page; more would be a way to fill memory.
pub const BODY_MAX: usize = 64 * 1024;

/// A request that may change something.
#[derive(Clone, PartialEq, Eq)]
pub struct Outgoing {
    /// How.
    pub method: Method,
    /// Where to.
    pub url: String,
    /// Names and values, which may be secrets.
    pub headers: Vec<(String, String)>,
    /// What is sent; empty: no body.
    pub body: String,
}

/// Without values of headers: one of them may be a token.
impl std::fmt::Debug for Outgoing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.method.word(), self.url)
    }
}

/// What an address answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// HTTP status.
    pub status: u16,
    /// How long it asked the caller to wait, in milliseconds.
    pub retry_after_ms: Option<u64>,
    /// The body's beginning, as text.
    pub body: String,
}
