//! Which backup a step means, and how a person gets hold of it by hand. Of every kind that reads one.

use super::hands::in_words;
use super::{Hand, Observed, Place, Refusal, Scene};
use crate::effect::{BackupName, BackupSeen, Query, Seen};
use crate::text::{Text, shell_word};

/// A backup as a step names it.
pub(super) struct Which<'a> {
    /// The store.
    pub(super) store: &'a str,
    /// `latest-verified`, `latest`, a name, or an earlier step's output.
    pub(super) backup: &'a Text,
    /// Names or patterns of namespaces that have to be in it.
    pub(super) namespaces: Vec<String>,
}

/// The backup that is meant.
pub(super) enum Meant<'s> {
    /// An earlier step of the same run makes it.
    Later(Text),
    /// It is there.
    There(&'s BackupSeen),
}

impl Meant<'_> {
    /// Its name, as the plan pins it.
    pub(super) fn name(&self) -> Text {
        match self {
            Self::Later(text) => text.clone(),
            Self::There(found) => Text::known(&found.name),
        }
    }
}

impl Which<'_> {
    /// What to ask the store; nothing where the name is an earlier step's output.
    pub(super) fn question(&self) -> Option<Query> {
        let backup = match self.backup.as_known()?.as_str() {
            "latest-verified" => BackupName::LatestVerified,
            "latest" => BackupName::Latest,
            name => BackupName::Named(name.to_owned()),
        };
        Some(Query::Backup {
            store: self.store.to_owned(),
            backup,
            namespaces: self.namespaces.clone(),
        })
    }

    /// The backup itself.
    ///
    /// # Errors
    ///
    /// There is none that fits.
    pub(super) fn find<'s>(&self, scene: &Scene<'_>, seen: &'s Observed) -> Result<Meant<'s>, Refusal> {
        let Some(question) = self.question() else {
            return Ok(Meant::Later(self.backup.clone()));
        };
        let named = matches!(
            &question,
            Query::Backup {
                backup: BackupName::Named(_),
                ..
            }
        );
        if let (false, Some(step)) = (named, scene.backups.get(self.store)) {
            return Ok(Meant::Later(Text::output(step, "backup")));
        }
        match seen.get(&question)? {
            Seen::Backup(Some(found)) => Ok(Meant::There(found)),
            _ => Err(self.nothing(named)),
        }
    }

    fn nothing(&self, named: bool) -> Refusal {
        let hint = if named {
            "lifeboat backups lists those that are there"
        } else {
            "make one: lifeboat protect <runbook>"
        };
        let (store, namespaces) = (self.store, self.namespaces.join(", "));
        let why = format!(
            "store {store} holds no backup `{}` with {namespaces}",
            self.backup
        );
        Refusal::no(why, hint)
    }

    /// Its place in the store, and its files in a folder, where a person puts the name in.
    pub(super) fn by_hand(&self, place: &Place<'_>, folder: &str) -> Vec<Hand> {
        let known = self.backup.as_known();
        let choose = Hand::say(match known.as_deref() {
            Some("latest-verified") => "Choose the newest backup that is known to be whole. Its name ends in the time at which it was made:".to_owned(),
            Some("latest") => "Choose the newest backup. Its name ends in the time at which it was made:".to_owned(),
            _ => format!("Take the backup {}:", in_words(self.backup)),
        });
        let root = place.store_root(self.store);
        let backups = shell_word(&format!("{root}backups/"));
        let named = known.filter(|name| !name.starts_with("latest"));
        let name = named.map_or_else(|| "<name>".to_owned(), |name| shell_word(&name));
        let (open, sealed) = place
            .unseal(self.store)
            .map_or_else(Default::default, |open| (format!(" | {open}"), ".age"));
        let archive = format!("{backups}{BACKUP}/{BACKUP}.tar.gz{sealed}");
        let (list, read) = match place.store_tool(self.store) {
            Some(tool) => (format!("{tool} ls {backups}"), format!("{tool} cp {archive} -")),
            None => (format!("ls {backups}"), format!("cat {archive}")),
        };
        vec![
            choose,
            Hand::run(list),
            Hand::run(format!("BACKUP={name}")),
            Hand::run(format!("mkdir -p {folder} && {read}{open} | tar -xz -C {folder}")),
        ]
    }
}

/// A backup's place in a store, where the person puts its name in.
const BACKUP: &str = "\"$BACKUP\"";
