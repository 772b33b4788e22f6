//! Where the files of a backup lie in a store, relative to its prefix, and what a backup may be called.

use jiff::Timestamp;
use jiff::fmt::strtime::BrokenDownTime;
use jiff::tz::TimeZone;

/// A name that cannot be the name of a backup.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` cannot be the name of a backup: lower-case letters, digits, `-` and `.`, at most 253, a letter or digit first and last"
)]
pub struct BadName(pub String);

/// Velero makes it the name of an object, and the API server allows no more.
const NAME_CHARS_MAX: usize = 253;

/// Notes about deletions that were begun, a folder for each backup: not among its own files, which are
/// all deleted or all locked. Velero knows `metadata/` and looks away.
pub const DELETIONS: &str = "metadata/lifeboat-deleting/";

/// The keys of one backup.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keys {
    name: String,
}

impl Keys {
    /// The keys of a backup of this name.
    ///
    /// # Errors
    ///
    /// [`BadName`] unless it is a DNS subdomain of at most 253 characters. So a name read from a
    /// bucket cannot lead to keys of another backup.
    pub fn of(name: &str) -> Result<Self, BadName> {
        let label = |part: &str| {
            let edge = |byte: Option<u8>| byte.is_some_and(|byte| byte != b'-');
            part.bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
                && edge(part.bytes().next())
                && edge(part.bytes().last())
        };
        if name.len() <= NAME_CHARS_MAX && name.split('.').all(label) {
            Ok(Self {
                name: name.to_owned(),
            })
        } else {
            Err(BadName(name.to_owned()))
        }
    }

    /// The backup's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Everything of the backup that Velero knows lies under here.
    pub fn folder(&self) -> String {
        format!("backups/{}/", self.name)
    }

    /// Everything of the backup that only lifeboat knows lies under here.
    pub fn own_folder(&self) -> String {
        format!("metadata/lifeboat/{}/", self.name)
    }

    /// The backup as a Velero object, plain JSON: by it Velero knows that there is a backup.
    pub fn velero_backup(&self) -> String {
        format!("{}velero-backup.json", self.folder())
    }

    /// The objects.
    pub fn archive(&self) -> String {
        format!("{}{}.tar.gz", self.folder(), self.name)
    }

    /// What went wrong, gzipped JSON.
    pub fn results(&self) -> String {
        self.extra("results.gz")
    }

    /// Names by kind, gzipped JSON.
    pub fn resource_list(&self) -> String {
        self.extra("resource-list.json.gz")
    }

    /// A file beside the archive: `logs.gz`, `volumeinfo.json.gz`.
    pub fn extra(&self, suffix: &str) -> String {
        format!("{}{}-{suffix}", self.folder(), self.name)
    }

    /// The manifest: written last, so a backup of ours without it was not finished.
    pub fn manifest(&self) -> String {
        format!("{}manifest.json", self.own_folder())
    }

    /// Proof that all of it was read back and compared with the manifest.
    pub fn verified(&self) -> String {
        format!("{}verified.json", self.own_folder())
    }

    /// Notes about deletions of it that were begun lie under here.
    pub fn deletions(&self) -> String {
        format!("{DELETIONS}{}/", self.name)
    }

    /// Who took it away, and why: all that stays of a backup that was deleted.
    pub fn deleted(&self) -> String {
        format!("{}deleted.json", self.own_folder())
    }
}

/// Which backup a key is the `velero-backup.json` of: how backups are found in a listing.
pub fn backup_of_key(key: &str) -> Option<&str> {
    let name = key
        .strip_prefix("backups/")?
        .strip_suffix("/velero-backup.json")?;
    Keys::of(name).is_ok().then_some(name)
}

/// The name of a new backup: `shop-2026-11-22t230007z`, in UTC, so that names sort by time.
///
/// # Errors
///
/// [`BadName`] where the prefix cannot be part of a name.
pub fn backup_name(prefix: &str, time: Timestamp) -> Result<Keys, BadName> {
    let time = time.strftime(MOMENT);
    Keys::of(&format!("{prefix}-{time}"))
}

/// The moment in a name that [`backup_name`] made, in whole seconds; `None`: it has none.
pub fn moment_of_name(name: &str) -> Option<Timestamp> {
    let text = name.get(name.len().checked_sub(MOMENT_CHARS)?..)?;
    let parsed = BrokenDownTime::parse(MOMENT, text).ok()?.to_datetime().ok()?;
    let moment = parsed.to_zoned(TimeZone::UTC).ok()?.timestamp();
    // Reading is more lenient than writing.
    (moment.strftime(MOMENT).to_string() == text).then_some(moment)
}

/// A moment in a name: `2026-11-22t230007z`.
const MOMENT: &str = "%Y-%m-%dt%H%M%Sz";

/// Its length.
const MOMENT_CHARS: usize = 18;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_keys_are_veleros_and_ours_lie_where_velero_allows_them() {
        let keys = Keys::of("shop-a").unwrap();
        assert_eq!(keys.velero_backup(), "backups/shop-a/velero-backup.json");
        assert_eq!(keys.archive(), "backups/shop-a/shop-a.tar.gz");
        assert_eq!(keys.results(), "backups/shop-a/shop-a-results.gz");
        assert_eq!(
            keys.resource_list(),
            "backups/shop-a/shop-a-resource-list.json.gz"
        );
        assert_eq!(keys.manifest(), "metadata/lifeboat/shop-a/manifest.json");
        assert_eq!(backup_of_key(&keys.velero_backup()), Some("shop-a"));
        assert_eq!(backup_of_key(&keys.archive()), None);
    }

    #[test]
    fn a_name_cannot_lead_to_another_backup() {
        for name in [
            "",
            ".",
            "..",
            "a/b",
            "../a",
            "a..b",
            "A",
            "-a",
            "a-",
            "a_b",
            "a.",
            "ä",
            &"a".repeat(254),
        ] {
            assert!(Keys::of(name).is_err(), "{name}");
        }
        assert_eq!(backup_of_key("backups/../velero-backup.json"), None);
        assert_eq!(backup_of_key("backups/a/b/velero-backup.json"), None);
    }

    #[test]
    fn names_of_backups_sort_by_time() {
        let time = |text: &str| text.parse::<Timestamp>().unwrap();
        let name = |text| backup_name("shop", time(text)).unwrap().name().to_owned();
        assert_eq!(name("2026-11-22T23:00:07+01:00"), "shop-2026-11-22t220007z");
        assert!(name("2026-11-22T23:00:07Z") < name("2026-11-23T00:00:00Z"));
        assert!(backup_name("Shop", time("2026-11-22T23:00:07Z")).is_err());
        let moment = Some(time("2026-11-22T22:00:07Z"));
        assert_eq!(moment_of_name("shop-2026-11-22t220007z"), moment);
        for other in ["shop-a", "", "shop-2026-13-22t220007z", "ä-2026-11-22t22000z"] {
            assert_eq!(moment_of_name(other), None, "{other}");
        }
    }
}
