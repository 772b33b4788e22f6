//! Where things are: sites, stores, DNS servers, and which disaster takes which of them down together; and who can be
//! told.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::Pins;
use crate::effect::Records;
use crate::text::{DomainName, Spanned};

/// The inventory that a runbook's roles and stores refer to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sites {
    /// `metadata.name`.
    pub name: String,
    /// Kubernetes clusters.
    pub sites: BTreeMap<String, Site>,
    /// Object stores.
    pub stores: BTreeMap<String, Store>,
    /// DNS servers that take changes.
    pub dns: BTreeMap<String, DnsServer>,
    /// Who can be told what happens.
    pub notify: BTreeMap<String, Receiver>,
    /// Where journals of runs are kept besides this machine; `None`: nowhere.
    pub journal: Option<JournalPlaces>,
    /// Who they are; of its own document.
    pub pins: Pins,
}

/// Where journals of runs are kept besides this machine.
///
/// ## Why in the inventory
///
/// A runbook says what is done, an inventory where things are and what fails together. And whoever adopts a
/// run on another machine has no runbook at hand: the inventory and the stores' credentials must do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JournalPlaces {
    /// Names of stores, in the order in which they are asked.
    pub mirrors: Vec<String>,
    /// What has to hold a record before anything may follow from it.
    pub release: Release,
}

/// What has to hold a record before anything may follow from it, besides this machine's disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Release {
    /// Nothing: mirrors follow as they can.
    Local,
    /// One mirror.
    #[default]
    #[serde(rename = "local+1")]
    LocalAndOne,
    /// More than half of the mirrors, so that two machines that see different ones never both go on.
    Majority,
}

impl Release {
    /// As it is written in an inventory.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::LocalAndOne => "local+1",
            Self::Majority => "majority",
        }
    }

    /// How many of so many mirrors must hold a record.
    pub const fn needed(self, mirrors: usize) -> usize {
        match self {
            Self::Local => 0,
            Self::LocalAndOne => 1,
            Self::Majority => mirrors / 2 + 1,
        }
    }

    /// Whether of two records with the same number only one can be released.
    pub const fn excludes(self, mirrors: usize) -> bool {
        self.needed(mirrors) * 2 > mirrors
    }

    /// How many of so many mirrors have to be read to know that nothing is missing which was released:
    /// so many that at least one of them had to hold it. `None`: that can never be known.
    pub const fn to_read(self, mirrors: usize) -> Option<usize> {
        match self.needed(mirrors) {
            0 => None,
            needed => Some(mirrors + 1 - needed),
        }
    }
}

/// One place where services run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Site {
    /// Its name and where it was written.
    pub name: Spanned<String>,
    /// How to reach it.
    pub kubernetes: KubernetesSite,
    /// From the widest to the narrowest; equal beginnings fail together.
    pub failure_domain: Vec<String>,
    /// Free values for `${sites.<role or site>.<name>}`.
    pub values: BTreeMap<String, String>,
}

/// How to reach a cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KubernetesSite {
    /// By a kubeconfig's context.
    Context {
        /// The file; `None`: what `KUBECONFIG` says, else `~/.kube/config`.
        kubeconfig: Option<PathBuf>,
        /// The context.
        context: String,
    },
    /// By no network at all: a cluster in this process's memory, for demonstrations and tests. It
    /// begins with the objects of these files and ends with the process.
    Embedded {
        /// YAML files of Kubernetes objects.
        objects: Vec<PathBuf>,
    },
}

/// One place where backups are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Store {
    /// Its name and where it was written.
    pub name: Spanned<String>,
    /// How to reach it.
    pub endpoint: Endpoint,
    /// From the widest to the narrowest; equal beginnings fail together.
    pub failure_domain: Vec<String>,
    /// Everything in it is encrypted on this machine before it is written.
    pub seal: Option<Sealing>,
}

/// For whom a store's objects are encrypted. Secrets are never values: only where they lie.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sealing {
    /// Public keys of age, `age1…`; each of them can open everything.
    pub recipients: Vec<String>,
    /// The file of secret keys with which this machine opens; `None`: it can only write.
    pub identities: Option<PathBuf>,
}

/// How to reach a store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// An S3 bucket.
    S3(S3Store),
    /// A folder of this machine.
    Directory(PathBuf),
}

/// An S3 bucket or a part of one. Credentials are never values: they come from the SDK's own chain
/// (environment, profile, instance), of which only the profile and its file can be named here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct S3Store {
    /// The bucket.
    pub bucket: String,
    /// `https://…`; `None`: AWS's own.
    pub endpoint: Option<String>,
    /// The region.
    pub region: String,
    /// Ends with `/`, or is empty.
    pub prefix: String,
    /// A profile of the shared credentials file.
    pub profile: Option<String>,
    /// The shared credentials file; `None`: the usual place.
    pub credentials_file: Option<PathBuf>,
}

/// The primary server of some zones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DnsServer {
    /// Its name and where it was written.
    pub name: Spanned<String>,
    /// How to reach it.
    pub endpoint: DnsEndpoint,
    /// Only names in these zones are read and changed there.
    pub zones: Vec<DomainName>,
    /// From the widest to the narrowest; equal beginnings fail together.
    pub failure_domain: Vec<String>,
}

/// How to reach a DNS server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DnsEndpoint {
    /// One that takes dynamic updates (RFC 2136).
    Rfc2136(Rfc2136),
    /// One in this process's memory, for demonstrations and tests. It begins with these records.
    Embedded(BTreeMap<DomainName, Records>),
}

/// A DNS server that takes dynamic updates. The key is never a value: only where it lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rfc2136 {
    /// `host:port`.
    pub server: String,
    /// The file of the key that signs requests and answers (TSIG, RFC 8945).
    pub key_file: PathBuf,
}

/// Somebody who can be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receiver {
    /// Its name and where it was written.
    pub name: Spanned<String>,
    /// How to reach them.
    pub endpoint: ReceiverEndpoint,
}

/// How to reach a receiver. Secrets are never values: only where they lie.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReceiverEndpoint {
    /// An address that takes signed messages (Standard Webhooks).
    Webhook {
        /// Where it is.
        url: Address,
        /// The key that signs.
        key: Secret,
    },
    /// An incoming webhook of Slack.
    Slack {
        /// Its address, which is the secret.
        url: Secret,
    },
    /// Nobody: for demonstrations and tests.
    Embedded,
}

/// An address, or where it lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// It may be known.
    Known(String),
    /// It is a secret.
    Secret(Secret),
}

/// Where a secret lies, on the machine that needs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Secret {
    /// In this file.
    File(PathBuf),
    /// In this environment variable.
    Env(String),
}
