//! An object store in a folder of this machine: for demonstrations, disks that are carried away, and
//! mounted network file systems.
//!
//! ## Why
//!
//! - An object becomes visible by one `link` or `rename` after its bytes are on the disk, so there is
//!   never half an object, also after a power cut.
//! - The folder itself must be there: a store that makes its own root would write tonight's backup
//!   onto the root disk when the real one is not mounted. Only siblings, which are temporary, are
//!   made and removed.
//! - Symbolic links below the root are never followed: a key may not lead out of the store. Somebody
//!   who can replace folders while lifeboat writes can still do so; against him the folder's own
//!   rights must help.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind as Io, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use futures::stream::{self, BoxStream, StreamExt as _};
use tokio::io::AsyncWriteExt as _;

use super::port::{Answer, Hidden, Locked, PutMode, Store, Stored, no_versions};
use crate::effect::{ErrorKind, WorldError};

/// Names that begin with this are ours and are neither listed nor accepted as keys.
const HIDDEN: &str = ".lifeboat-";

/// Large enough to keep a disk busy, small enough that many streams fit into memory.
const PIECE: usize = 128 * 1024;

/// Names of unfinished files differ within a process by this, between processes by the pid.
static UNFINISHED: AtomicU64 = AtomicU64::new(0);

/// A folder as an object store.
#[derive(Clone, Debug)]
pub struct DirectoryStore {
    root: PathBuf,
    /// Made when something is put, removed when nothing is left.
    temporary: bool,
}

impl DirectoryStore {
    /// The store in this folder, which must be there when it is used.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        let root = root.into();
        Self {
            root: std::path::absolute(&root).unwrap_or(root),
            temporary: false,
        }
    }

    fn trouble(&self, what: &str, error: &io::Error) -> WorldError {
        let kind = match error.kind() {
            Io::NotFound => ErrorKind::NotFound,
            Io::AlreadyExists => ErrorKind::Conflict,
            Io::PermissionDenied | Io::ReadOnlyFilesystem => ErrorKind::Forbidden,
            Io::StorageFull | Io::QuotaExceeded | Io::FileTooLarge | Io::InvalidFilename => {
                ErrorKind::Rejected
            }
            _ => ErrorKind::Internal,
        };
        WorldError::new(kind, self.address(), format!("{what}: {error}"))
    }

    fn refuse(&self, kind: ErrorKind, message: impl Into<String>) -> WorldError {
        WorldError::new(kind, self.address(), message)
    }

    /// The root, if it is a folder.
    fn check_root(&self) -> Result<(), WorldError> {
        match fs::metadata(&self.root) {
            Ok(found) if found.is_dir() => Ok(()),
            Ok(_) => Err(self.refuse(ErrorKind::Rejected, "this is not a folder")),
            Err(error) if error.kind() == Io::NotFound => Err(self
                .refuse(ErrorKind::NotFound, "there is no such folder")
                .hint(format!(
                    "if it is on a disk, mount it; else `mkdir {}`",
                    self.root.display()
                ))),
            Err(error) => Err(self.trouble("cannot look at the folder", &error)),
        }
    }

    /// The file of a key, after looking that no link leads astray.
    fn path(&self, key: &str) -> Result<PathBuf, WorldError> {
        if !is_key(key) {
            return Err(self.refuse(ErrorKind::Rejected, format!("`{key}` is not a key of a store")));
        }
        let mut path = self.root.clone();
        for part in key.split('/') {
            path.push(part);
            if fs::symlink_metadata(&path).is_ok_and(|found| found.is_symlink()) {
                let message = format!("`{key}` leads through a symbolic link, which is not followed");
                return Err(self.refuse(ErrorKind::Rejected, message));
            }
        }
        Ok(path)
    }

    fn entries(&self, prefix: &str) -> Result<Vec<Stored>, WorldError> {
        if self.temporary && !self.root.exists() {
            return Ok(Vec::new());
        }
        self.check_root()?;
        let mut found = Vec::new();
        let folder = prefix.rsplit_once('/').map_or("", |(folder, _)| folder);
        if folder.is_empty() || is_key(folder) {
            self.walk(folder, &mut found)
                .map_err(|error| self.trouble("cannot list", &error))?;
        }
        found.retain(|entry| entry.key.starts_with(prefix));
        found.sort_by(|a, b| a.key.cmp(&b.key));
        Ok(found)
    }

    /// Everything below a folder; links and names that are no keys are not part of the store.
    fn walk(&self, folder: &str, found: &mut Vec<Stored>) -> io::Result<()> {
        let listing = match fs::read_dir(self.root.join(folder)) {
            Err(error) if matches!(error.kind(), Io::NotFound | Io::NotADirectory) => return Ok(()),
            listing => listing?,
        };
        for entry in listing {
            let entry = entry?;
            let Some(name) = entry
                .file_name()
                .to_str()
                .filter(|name| is_key(name))
                .map(str::to_owned)
            else {
                continue;
            };
            let key = if folder.is_empty() {
                name
            } else {
                format!("{folder}/{name}")
            };
            let sort = entry.file_type()?;
            if sort.is_dir() {
                self.walk(&key, found)?;
            } else if sort.is_file() {
                found.extend(stored(key, &entry)?);
            }
        }
        Ok(())
    }

    fn open(&self, key: &str) -> Result<File, WorldError> {
        self.check_root()?;
        let path = self.path(key)?;
        let file = File::open(&path).map_err(|error| self.trouble(&format!("cannot read {key}"), &error))?;
        match file.metadata() {
            Ok(found) if found.is_file() => Ok(file),
            _ => Err(self.refuse(ErrorKind::NotFound, format!("{key} is not a file"))),
        }
    }

    /// Makes the folders of a file, and an empty unfinished one beside it.
    fn begin(&self, key: &str) -> Result<(Unfinished, File), WorldError> {
        if self.temporary {
            fs::create_dir_all(&self.root).map_err(|error| self.trouble("cannot make the folder", &error))?;
        }
        self.check_root()?;
        let target = self.path(key)?;
        let folder = target.parent().unwrap_or(&self.root).to_owned();
        let begin = || -> io::Result<_> {
            fs::create_dir_all(&folder)?;
            let count = UNFINISHED.fetch_add(1, Ordering::Relaxed);
            let path = folder.join(format!("{HIDDEN}{}-{count}", std::process::id()));
            let file = OpenOptions::new().write(true).create_new(true).open(&path)?;
            let depth = key.split('/').count();
            Ok((Unfinished { path, target, depth }, file))
        };
        begin().map_err(|error| self.trouble(&format!("cannot write {key}"), &error))
    }

    fn remove(&self, key: &str) -> Result<(), WorldError> {
        if self.temporary && !self.root.exists() {
            return Ok(());
        }
        self.check_root()?;
        let path = self.path(key)?;
        match fs::remove_file(&path) {
            Err(error) if error.kind() != Io::NotFound => {
                return Err(self.trouble(&format!("cannot delete {key}"), &error));
            }
            _ => {}
        }
        // Folders are not part of a store: those that are empty go, the first that is not ends it.
        let inside =
            |folder: &&Path| folder.starts_with(&self.root) && (self.temporary || *folder != self.root);
        let _ = path
            .ancestors()
            .skip(1)
            .take_while(inside)
            .try_for_each(fs::remove_dir);
        Ok(())
    }
}

/// A file that is not yet an object; dropped, it leaves no trace.
struct Unfinished {
    path: PathBuf,
    target: PathBuf,
    /// Folders from the object's own up to the root: each may be new.
    depth: usize,
}

impl Unfinished {
    /// Makes the object visible, all of it at once.
    fn finish(self, mode: PutMode) -> io::Result<()> {
        match mode {
            PutMode::Replace => fs::rename(&self.path, &self.target)?,
            PutMode::Create => match fs::hard_link(&self.path, &self.target) {
                Ok(()) => {}
                Err(error) if error.kind() == Io::AlreadyExists => return Err(error),
                // FAT and some network file systems have no links.
                Err(_) => self.finish_by_claim()?,
            },
        }
        let mut folders = self.target.ancestors().skip(1).take(self.depth);
        folders.try_for_each(sync_folder)
    }

    /// Whoever makes the claim's file first may rename; it stays if the machine dies just then, and
    /// the error of the next writer names it.
    fn finish_by_claim(&self) -> io::Result<()> {
        let mut name = std::ffi::OsString::from(format!("{HIDDEN}claim-"));
        name.push(self.target.file_name().unwrap_or_default());
        let claim = self.target.with_file_name(name);
        OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(&claim)
            .map_err(|error| io::Error::new(error.kind(), format!("{error}: {}", claim.display())))?;
        let renamed = match fs::symlink_metadata(&self.target) {
            Err(error) if error.kind() == Io::NotFound => fs::rename(&self.path, &self.target),
            Err(error) => Err(error),
            Ok(_) => Err(Io::AlreadyExists.into()),
        };
        fs::remove_file(&claim)?;
        renamed
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        // After a rename there is nothing left to remove.
        let _ = fs::remove_file(&self.path);
    }
}

fn sync_folder(folder: &Path) -> io::Result<()> {
    match File::open(folder).and_then(|folder| folder.sync_all()) {
        // Some file systems cannot, and some parents may not be read; then the file's own sync must do.
        Err(error)
            if matches!(
                error.kind(),
                Io::InvalidInput | Io::PermissionDenied | Io::Unsupported
            ) =>
        {
            Ok(())
        }
        done => done,
    }
}

/// Relative, without empty, dotted or hidden parts.
fn is_key(key: &str) -> bool {
    let part = |part: &str| {
        !part.is_empty()
            && part != "."
            && part != ".."
            && !part.starts_with(HIDDEN)
            && !part.contains(['\\', '\0'])
    };
    key.split('/').all(part)
}

/// The entry of a file; `None` if it has gone since it was listed.
fn stored(key: String, entry: &fs::DirEntry) -> io::Result<Option<Stored>> {
    let found = match entry.metadata() {
        Err(error) if error.kind() == Io::NotFound => return Ok(None),
        found => found?,
    };
    let modified = found.modified().ok().and_then(|at| at.try_into().ok());
    Ok(Some(Stored {
        key,
        size: found.len(),
        modified,
    }))
}

/// Runs what blocks where it may.
async fn blocking<T: Send + 'static>(
    store: &DirectoryStore,
    work: impl FnOnce(&DirectoryStore) -> Result<T, WorldError> + Send + 'static,
) -> Result<T, WorldError> {
    let own = store.clone();
    match tokio::task::spawn_blocking(move || work(&own)).await {
        Ok(result) => result,
        Err(error) => Err(store.refuse(ErrorKind::Internal, error.to_string())),
    }
}

/// The next piece of a file, with the file to go on from.
async fn piece(store: DirectoryStore, mut file: File) -> Option<(Result<Bytes, WorldError>, Option<File>)> {
    let read = blocking(&store, move |store| {
        let mut buffer = vec![0; PIECE];
        let count = file
            .read(&mut buffer)
            .map_err(|error| store.trouble("cannot read on", &error))?;
        buffer.truncate(count);
        Ok((Bytes::from(buffer), file))
    });
    match read.await {
        Ok((bytes, _)) if bytes.is_empty() => None,
        Ok((bytes, file)) => Some((Ok(bytes), Some(file))),
        Err(error) => Some((Err(error), None)),
    }
}

impl Store for DirectoryStore {
    fn address(&self) -> String {
        self.root.display().to_string()
    }

    fn list<'a>(&'a self, prefix: &'a str) -> Answer<'a, Vec<Stored>> {
        let prefix = prefix.to_owned();
        Box::pin(blocking(self, move |store| store.entries(&prefix)))
    }

    fn get<'a>(&'a self, key: &'a str) -> Answer<'a, BoxStream<'static, Result<Bytes, WorldError>>> {
        Box::pin(async move {
            let wanted = key.to_owned();
            let file = blocking(self, move |store| store.open(&wanted)).await?;
            let store = self.clone();
            let pieces = stream::unfold(Some(file), move |file| {
                let store = store.clone();
                async move { piece(store, file?).await }
            });
            Ok(pieces.boxed())
        })
    }

    fn put<'a>(
        &'a self,
        key: &'a str,
        mut body: BoxStream<'static, Result<Bytes, WorldError>>,
        mode: PutMode,
    ) -> Answer<'a, u64> {
        Box::pin(async move {
            let wanted = key.to_owned();
            let (unfinished, file) = blocking(self, move |store| store.begin(&wanted)).await?;
            let mut file = tokio::fs::File::from_std(file);
            let mut size = 0;
            let trouble = |error: io::Error| self.trouble(&format!("cannot write {key}"), &error);
            while let Some(bytes) = body.next().await {
                let bytes = bytes?;
                size += bytes.len() as u64;
                file.write_all(&bytes).await.map_err(trouble)?;
            }
            file.flush().await.map_err(trouble)?;
            file.sync_all().await.map_err(trouble)?;
            let key = key.to_owned();
            blocking(self, move |store| {
                unfinished
                    .finish(mode)
                    .map_err(|error| store.trouble(&format!("cannot put {key}"), &error))
            })
            .await?;
            Ok(size)
        })
    }

    fn delete<'a>(&'a self, key: &'a str) -> Answer<'a, ()> {
        let key = key.to_owned();
        Box::pin(blocking(self, move |store| store.remove(&key)))
    }

    /// Whoever may write to the folder may delete from it.
    fn locked<'a>(&'a self, _: &'a str) -> Answer<'a, Locked> {
        Box::pin(async { Ok(Locked::No) })
    }

    fn hidden<'a>(&'a self, _: &'a str) -> Answer<'a, Vec<Hidden>> {
        Box::pin(async { Ok(Vec::new()) })
    }

    fn unhide<'a>(&'a self, key: &'a str, _: &'a str) -> Answer<'a, ()> {
        Box::pin(async move { Err(no_versions(self, key)) })
    }

    fn sibling(&self, suffix: &str) -> Arc<dyn Store> {
        let root = match self.root.file_name() {
            Some(name) => self.root.with_file_name(format!("{}-{suffix}", name.display())),
            None => self.root.join(format!("{HIDDEN}{suffix}")),
        };
        Arc::new(Self {
            root,
            temporary: true,
        })
    }
}

#[cfg(test)]
mod tests {
    use futures::TryStreamExt as _;
    use proptest::prelude::*;

    use super::*;

    fn body(pieces: &[&str]) -> BoxStream<'static, Result<Bytes, WorldError>> {
        let pieces: Vec<_> = pieces
            .iter()
            .map(|piece| Ok(Bytes::from((*piece).to_owned())))
            .collect();
        stream::iter(pieces).boxed()
    }

    fn store() -> (tempfile::TempDir, DirectoryStore) {
        let folder = tempfile::tempdir().expect("a folder");
        let root = folder.path().join("vault");
        fs::create_dir(&root).expect("a root");
        (folder, DirectoryStore::new(root))
    }

    async fn read(store: &dyn Store, key: &str) -> Result<String, WorldError> {
        let all: Vec<Bytes> = store.get(key).await?.try_collect().await?;
        Ok(String::from_utf8(all.concat()).expect("text"))
    }

    async fn keys(store: &dyn Store, prefix: &str) -> Vec<String> {
        let entries = store.list(prefix).await.expect("a listing");
        entries.into_iter().map(|entry| entry.key).collect()
    }

    #[tokio::test]
    async fn what_was_put_is_listed_in_order_and_read_back() {
        let (_folder, store) = store();
        for key in ["b/2", "b-1", "a", "b/1/x"] {
            assert_eq!(
                store
                    .put(key, body(&["hel", "lo"]), PutMode::Create)
                    .await
                    .expect("put"),
                5
            );
        }
        assert_eq!(keys(&store, "").await, ["a", "b-1", "b/1/x", "b/2"]);
        assert_eq!(keys(&store, "b").await, ["b-1", "b/1/x", "b/2"]);
        assert_eq!(keys(&store, "b/").await, ["b/1/x", "b/2"]);
        assert_eq!(keys(&store, "b/1").await, ["b/1/x"]);
        assert_eq!(keys(&store, "nothing/here").await, [""; 0]);
        assert_eq!(read(&store, "b/1/x").await.expect("text"), "hello");
        assert_eq!(
            read(&store, "c").await.expect_err("missing").kind,
            ErrorKind::NotFound
        );
        assert_eq!(
            read(&store, "b").await.expect_err("a folder").kind,
            ErrorKind::NotFound
        );
    }

    #[tokio::test]
    async fn creating_twice_is_a_conflict_and_replacing_is_not() {
        let (_folder, store) = store();
        store
            .put("k", body(&["one"]), PutMode::Create)
            .await
            .expect("the first");
        let again = store.put("k", body(&["two"]), PutMode::Create).await;
        assert_eq!(again.expect_err("the second").kind, ErrorKind::Conflict);
        assert_eq!(read(&store, "k").await.expect("text"), "one");
        store
            .put("k", body(&["three"]), PutMode::Replace)
            .await
            .expect("replaced");
        assert_eq!(read(&store, "k").await.expect("text"), "three");
    }

    #[tokio::test]
    async fn of_many_creators_one_wins_with_links_and_without() {
        for links in [true, false] {
            let (_folder, store) = store();
            let mut wins = 0;
            for round in 0..8 {
                let (unfinished, _) = store.begin("k").expect("begun");
                let done = if links {
                    unfinished.finish(PutMode::Create)
                } else {
                    unfinished.finish_by_claim()
                };
                assert_eq!(done.is_ok(), round == 0, "round {round}: {done:?}");
                wins += u32::from(done.is_ok());
            }
            assert_eq!(wins, 1);
            assert_eq!(
                fs::read_dir(&store.root).expect("a listing").count(),
                1,
                "no claim and no half file is left"
            );
        }
    }

    #[tokio::test]
    async fn a_body_that_breaks_leaves_nothing() {
        let (_folder, store) = store();
        let broken = WorldError::new(ErrorKind::LostReply, "x", "broken");
        let body = stream::iter([Ok(Bytes::from_static(b"half")), Err(broken.clone())]).boxed();
        assert_eq!(store.put("k", body, PutMode::Create).await, Err(broken));
        assert_eq!(fs::read_dir(&store.root).expect("a listing").count(), 0);
    }

    #[tokio::test]
    async fn links_are_neither_listed_nor_followed() {
        let (folder, store) = store();
        let outside = folder.path().join("outside");
        fs::create_dir(&outside).expect("a folder");
        std::os::unix::fs::symlink(&outside, store.root.join("way")).expect("a link");
        let put = store.put("way/out", body(&["x"]), PutMode::Create).await;
        insta::assert_snapshot!(put.expect_err("refused").message, @"`way/out` leads through a symbolic link, which is not followed");
        std::os::unix::fs::symlink("/etc/hostname", store.root.join("name")).expect("a link");
        assert_eq!(
            read(&store, "name").await.expect_err("refused").kind,
            ErrorKind::Rejected
        );
        assert_eq!(keys(&store, "").await, [""; 0]);
        assert_eq!(fs::read_dir(outside).expect("a listing").count(), 0);
    }

    #[tokio::test]
    async fn a_root_that_is_missing_is_an_error_and_not_an_empty_store() {
        let (folder, _) = store();
        let store = DirectoryStore::new(folder.path().join("unmounted"));
        assert_eq!(
            store.list("").await.expect_err("missing").kind,
            ErrorKind::NotFound
        );
        let put = store.put("k", body(&["x"]), PutMode::Create).await;
        assert_eq!(put.expect_err("missing").message, "there is no such folder");
    }

    #[tokio::test]
    async fn a_sibling_is_made_when_needed_and_goes_with_its_last_object() {
        let (folder, store) = store();
        let drill = store.sibling("drill-4k2");
        assert_eq!(keys(&*drill, "").await, [""; 0]);
        drill
            .put("a/b", body(&["x"]), PutMode::Create)
            .await
            .expect("put");
        assert!(folder.path().join("vault-drill-4k2/a/b").is_file());
        assert_eq!(keys(&store, "").await, [""; 0]);
        drill.delete("a/b").await.expect("deleted");
        drill.delete("a/b").await.expect("a missing one is no error");
        assert!(!folder.path().join("vault-drill-4k2").exists());
        assert!(store.root.exists());
    }

    proptest! {
        #[test]
        fn no_key_leads_out_of_the_store(key in r"[a./\\~-]{0,12}") {
            let store = DirectoryStore::new("/vault");
            if let Ok(path) = store.path(&key) {
                let rest = path.strip_prefix("/vault").expect("inside");
                prop_assert!(rest.components().all(|part| matches!(part, std::path::Component::Normal(_))));
                prop_assert_eq!(rest.to_str(), Some(key.as_str()));
            }
        }
    }
}
