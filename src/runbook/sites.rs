//! Where things are: sites, stores, and which disaster takes which of them down together.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::text::Spanned;

/// The inventory that a runbook's roles and stores refer to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sites {
    /// `metadata.name`.
    pub name: String,
    /// Kubernetes clusters.
    pub sites: BTreeMap<String, Site>,
    /// Object stores.
    pub stores: BTreeMap<String, Store>,
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
