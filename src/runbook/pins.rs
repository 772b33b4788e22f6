//! Who sites and stores are, as a person once made sure: what an inventory only says the way to.
//!
//! An inventory leads to a cluster by the name of a context, and to a store by an address. Both can lead
//! elsewhere tomorrow: a kubeconfig is merged anew, two contexts are swapped, a bucket is made again. A pin is
//! what cannot follow such a change.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// The identities that were pinned; what has none is not checked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pins {
    /// Site → who it is.
    pub sites: BTreeMap<String, SitePin>,
    /// Store → who it is.
    pub stores: BTreeMap<String, StorePin>,
}

/// Who a cluster is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SitePin {
    /// `uid` of the namespace `kube-system`: made with the cluster, and gone with it.
    pub uid: String,
    /// The authorities that may vouch for its API server, as a kubeconfig names them: `sha256:<hex>` of a
    /// certificate's DER bytes, or [`SYSTEM_AUTHORITIES`] or [`PLAIN_HTTP`].
    pub authorities: Vec<String>,
    /// Who said so, and when.
    pub said: Said,
}

/// Who a store is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StorePin {
    /// What its identity object holds.
    pub id: String,
    /// Who said so, and when.
    pub said: Said,
}

/// Who pinned something.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Said {
    /// Who, on which machine.
    pub by: String,
    /// When.
    pub at: String,
    /// Why it is not what it was before; `None` for a first pin.
    pub reason: Option<String>,
}

/// Instead of a digest: the kubeconfig names no authority, so those of the machine's system vouch.
pub const SYSTEM_AUTHORITIES: &str = "system";

/// Instead of a digest: nobody vouches, the connection is not encrypted.
pub const PLAIN_HTTP: &str = "plain-http";

impl Pins {
    /// Where the pins of an inventory are: `sites.yaml` → `sites.pins.yaml`.
    pub fn beside(inventory: &Path) -> PathBuf {
        inventory.with_extension("pins.yaml")
    }

    /// The document, for people and for version control: sorted, one value a line.
    pub fn to_yaml(&self, name: &str, inventory: &str) -> String {
        let mut text = format!(
            "# Who the sites and stores of {inventory} are. Written by `lifeboat sites pin`; look it through and\n\
             # commit it beside the inventory. What is somebody else is refused before anything is sent to it.\n\
             apiVersion: {}\nkind: Pins\nmetadata: {{ name: {} }}\nspec:\n",
            super::form::API_VERSION,
            quoted(name),
        );
        section(&mut text, "sites", &self.sites, |pin| {
            let authorities: Vec<String> = pin.authorities.iter().map(|one| quoted(one)).collect();
            format!(
                "      uid: {}\n      authorities: [{}]\n{}",
                quoted(&pin.uid),
                authorities.join(", "),
                said(&pin.said)
            )
        });
        section(&mut text, "stores", &self.stores, |pin| {
            format!("      id: {}\n{}", quoted(&pin.id), said(&pin.said))
        });
        text
    }
}

fn section<T>(text: &mut String, key: &str, entries: &BTreeMap<String, T>, one: impl Fn(&T) -> String) {
    if entries.is_empty() {
        return;
    }
    text.push_str("  ");
    text.push_str(key);
    text.push_str(":\n");
    for (name, pin) in entries {
        // Names of an inventory are DNS labels; `on` or `1` would still be something else without quotes.
        // Writing to a string cannot fail.
        let _ = write!(text, "    {}:\n{}", quoted(name), one(pin));
    }
}

fn said(said: &Said) -> String {
    let reason = said.reason.as_ref();
    let reason = reason.map(|reason| format!("      reason: {}\n", quoted(reason)));
    format!(
        "      by: {}\n      at: {}\n{}",
        quoted(&said.by),
        quoted(&said.at),
        reason.unwrap_or_default()
    )
}

/// A JSON string is a YAML one.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
