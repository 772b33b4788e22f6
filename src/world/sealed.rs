//! A store whose objects are sealed for recipients before they leave this machine, in the format of
//! [age](https://age-encryption.org/v1), and opened when they are read.
//!
//! ## Why
//!
//! - **A store around a store.** Backup, restore, copy and verification read and write as ever; none of
//!   them knows of keys. So nothing that is written can be forgotten: the manifest and the lists of
//!   names are sealed like the archive. Only keys (names of backups) and sizes stay readable.
//! - **Age, not a format of our own.** To seal takes only public keys; in a disaster the ordinary `age`
//!   program opens `<key>.age` without lifeboat. Several recipients, so that one can lie in a safe.
//! - **`.age` behind every key**: Velero finds no `velero-backup.json` and so never takes a sealed
//!   backup for one that it can read; and a sealed object is never mistaken for an open one.
//! - **Without an identity nothing can be read back here**, so nothing is proved here: a backup stays
//!   unverified until a machine that has an identity verifies it.
//! - What was cut, changed or put together of others does not open; what was *replaced* by something
//!   sealed for the same recipients does, because to seal takes no secret. The manifest names what
//!   belongs together; who may write to the bucket is for its rights to say.

use std::io::Write as _;
use std::path::Path;
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};

use age::{DecryptError, Decryptor, Encryptor, Identity, IdentityFile, Recipient};
use bytes::Bytes;
use futures::io::{AsyncRead, AsyncReadExt as _, BufReader};
use futures::stream::{self, BoxStream, StreamExt as _, TryStreamExt as _};

use super::port::{Answer, Hidden, Locked, PutMode, Retention, Secrecy, Store, Stored};
use crate::effect::{ErrorKind, WorldError};
use crate::runbook::Sealing;

/// What age calls its files.
const SUFFIX: &str = ".age";

/// What is opened at once: age's own chunk.
const PIECE: usize = 64 * 1024;

type Body = BoxStream<'static, Result<Bytes, WorldError>>;

/// Who can open, and with what this machine opens.
struct Keyring {
    recipients: Vec<Box<dyn Recipient + Send + Sync>>,
    identities: Vec<Box<dyn Identity + Send + Sync>>,
}

/// A store that seals what is put into it.
pub struct Sealed {
    inner: Arc<dyn Store>,
    keys: Arc<Keyring>,
}

impl Sealed {
    /// Seals everything in `inner` as the inventory says.
    ///
    /// # Errors
    ///
    /// `Rejected`: a recipient or the file of identities that is not what age calls so. `NotFound`: no
    /// such file.
    pub fn around(name: &str, inner: Arc<dyn Store>, sealing: &Sealing) -> Result<Self, WorldError> {
        let recipients = sealing.recipients.iter().map(|text| recipient(name, text));
        let keys = Keyring {
            recipients: recipients.collect::<Result<_, _>>()?,
            identities: match &sealing.identities {
                Some(file) => identities(name, file)?,
                None => Vec::new(),
            },
        };
        Ok(Self {
            inner,
            keys: Arc::new(keys),
        })
    }
}

fn recipient(store: &str, text: &str) -> Result<Box<dyn Recipient + Send + Sync>, WorldError> {
    if let Ok(found) = age::x25519::Recipient::from_str(text) {
        return Ok(Box::new(found));
    }
    if let Ok(found) = age::tag::Recipient::from_str(text) {
        return Ok(Box::new(found));
    }
    if let Ok(found) = age::tagpq::Recipient::from_str(text) {
        return Ok(Box::new(found));
    }
    let message = format!("`{text}` is not a recipient of age");
    Err(WorldError::new(ErrorKind::Rejected, store, message)
        .hint("make a pair with `age-keygen -o key.txt`; the recipient is the line that begins with age1"))
}

#[expect(clippy::disallowed_methods, reason = "identities are a file")]
fn identities(store: &str, file: &Path) -> Result<Vec<Box<dyn Identity + Send + Sync>>, WorldError> {
    let shown = file.display();
    let bytes = std::fs::read(file).map_err(|error| {
        let kind = match error.kind() {
            std::io::ErrorKind::NotFound => ErrorKind::NotFound,
            std::io::ErrorKind::PermissionDenied => ErrorKind::Forbidden,
            _ => ErrorKind::Internal,
        };
        WorldError::new(
            kind,
            store,
            format!("cannot read the identities in {shown}: {error}"),
        )
    })?;
    // Never the parser's words: they may quote the line, and the line is the secret.
    let refused = || {
        let message = format!("{shown} is not a file of age identities");
        WorldError::new(ErrorKind::Rejected, store, message)
            .hint("it holds lines that begin with AGE-SECRET-KEY-1; `age-keygen` writes them")
    };
    let found = IdentityFile::from_buffer(bytes.as_slice())
        .map_err(|_| refused())?
        .into_identities()
        .map_err(|_| refused())?;
    if found.is_empty() {
        Err(refused())
    } else {
        Ok(found)
    }
}

impl Store for Sealed {
    fn address(&self) -> String {
        self.inner.address()
    }

    fn secrecy(&self) -> Secrecy {
        let opens = !self.keys.identities.is_empty();
        Secrecy::Sealed { opens }
    }

    /// Sizes are those of the sealed objects: how much of one is age's header shows only in it.
    fn list<'a>(&'a self, prefix: &'a str) -> Answer<'a, Vec<Stored>> {
        Box::pin(async move {
            let listed = self.inner.list(prefix).await?.into_iter();
            let own = listed.filter_map(|entry| {
                let key = entry.key.strip_suffix(SUFFIX)?.to_owned();
                Some(Stored { key, ..entry })
            });
            let mut own: Vec<Stored> = own.collect();
            own.sort_by(|a, b| a.key.cmp(&b.key));
            Ok(own)
        })
    }

    /// Names of folders are not sealed.
    fn folders<'a>(&'a self, prefix: &'a str) -> Answer<'a, Vec<String>> {
        self.inner.folders(prefix)
    }

    fn get<'a>(&'a self, key: &'a str) -> Answer<'a, Body> {
        Box::pin(async move {
            let target = self.address();
            if self.keys.identities.is_empty() {
                let message = format!("{key} is sealed, and this machine has no identity to open it");
                return Err(WorldError::new(ErrorKind::Unauthenticated, target, message)
                    .hint("name a file of identities at the store: `seal: { identities: … }`"));
            }
            let sealed = key.to_owned() + SUFFIX;
            let body = self.inner.get(&sealed).await?;
            open(body, &self.keys, sealed, target).await
        })
    }

    fn put<'a>(&'a self, key: &'a str, body: Body, mode: PutMode) -> Answer<'a, u64> {
        Box::pin(async move {
            let target = self.address();
            let (body, count) = seal(body, &self.keys, &target)?;
            let sealed = key.to_owned() + SUFFIX;
            self.inner.put(&sealed, body, mode).await?;
            Ok(*count.lock().unwrap_or_else(PoisonError::into_inner))
        })
    }

    fn delete<'a>(&'a self, key: &'a str) -> Answer<'a, ()> {
        Box::pin(async move { self.inner.delete(&(key.to_owned() + SUFFIX)).await })
    }

    fn locked<'a>(&'a self, key: &'a str) -> Answer<'a, Locked> {
        Box::pin(async move { self.inner.locked(&(key.to_owned() + SUFFIX)).await })
    }

    fn hidden<'a>(&'a self, prefix: &'a str) -> Answer<'a, Vec<Hidden>> {
        Box::pin(async move {
            let found = self.inner.hidden(prefix).await?.into_iter();
            let own = found.filter_map(|one| {
                let key = one.key.strip_suffix(SUFFIX)?.to_owned();
                Some(Hidden { key, ..one })
            });
            Ok(own.collect())
        })
    }

    fn unhide<'a>(&'a self, key: &'a str, marker: &'a str) -> Answer<'a, ()> {
        Box::pin(async move { self.inner.unhide(&(key.to_owned() + SUFFIX), marker).await })
    }

    fn locking(&self, retention: Retention) -> Result<Arc<dyn Store>, WorldError> {
        Ok(Arc::new(Self {
            inner: self.inner.locking(retention)?,
            keys: self.keys.clone(),
        }))
    }

    fn sibling(&self, suffix: &str) -> Arc<dyn Store> {
        Arc::new(Self {
            inner: self.inner.sibling(suffix),
            keys: self.keys.clone(),
        })
    }
}

/// Where age writes and a store takes from.
#[derive(Clone, Default)]
struct Pipe(Arc<Mutex<Vec<u8>>>);

impl Pipe {
    fn take(&self) -> Bytes {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner)).into()
    }
}

impl std::io::Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let mut pipe = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        pipe.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

type Count = Arc<Mutex<u64>>;

/// The stream, sealed, and how many bytes went in. A body that breaks off is never finished, so that
/// what a store might keep of it does not open.
fn seal(body: Body, keys: &Keyring, target: &str) -> Result<(Body, Count), WorldError> {
    let internal = |error: &(dyn std::error::Error + 'static)| {
        WorldError::new(ErrorKind::Internal, target, "cannot seal").caused_by(error)
    };
    let recipients = keys.recipients.iter().map(|one| &**one as &dyn Recipient);
    let encryptor = Encryptor::with_recipients(recipients).map_err(|error| internal(&error))?;
    let pipe = Pipe::default();
    let writer = encryptor
        .wrap_output(pipe.clone())
        .map_err(|error| internal(&error))?;
    let count = Count::default();
    let (counting, target) = (count.clone(), target.to_owned());
    let pieces = stream::unfold(Some((body, writer)), move |state| {
        let (pipe, counting, target) = (pipe.clone(), counting.clone(), target.clone());
        async move {
            let (mut body, mut writer) = state?;
            let broken = |error: std::io::Error| {
                WorldError::new(ErrorKind::Internal, target.as_str(), error.to_string())
            };
            let written = match body.next().await {
                Some(Ok(bytes)) => {
                    *counting.lock().unwrap_or_else(PoisonError::into_inner) += bytes.len() as u64;
                    writer.write_all(&bytes).map(|()| Some((body, writer)))
                }
                Some(Err(error)) => return Some((Err(error), None)),
                None => writer.finish().map(|_| None),
            };
            Some(match written {
                Ok(next) => (Ok(pipe.take()), next),
                Err(error) => (Err(broken(error)), None),
            })
        }
    });
    let filled = pieces.filter(|piece| std::future::ready(!piece.as_ref().is_ok_and(Bytes::is_empty)));
    Ok((filled.boxed(), count))
}

/// The stream, opened. The end is told only after age has seen its own end mark.
async fn open(body: Body, keys: &Keyring, key: String, target: String) -> Result<Body, WorldError> {
    let sealed = BufReader::new(body.map_err(std::io::Error::other).into_async_read());
    let decryptor = Decryptor::new_async_buffered(sealed).await;
    let identities = keys.identities.iter().map(|one| &**one as &dyn Identity);
    let reader = decryptor
        .and_then(|decryptor| decryptor.decrypt_async(identities))
        .map_err(|error| refused(error, &key, &target))?;
    Ok(pieces(reader, key, target))
}

fn pieces(reader: impl AsyncRead + Unpin + Send + 'static, key: String, target: String) -> Body {
    stream::try_unfold(Some(reader), move |reader| {
        let (key, target) = (key.clone(), target.clone());
        async move {
            let Some(mut reader) = reader else { return Ok(None) };
            let mut piece = vec![0; PIECE];
            match reader.read(&mut piece).await {
                Ok(0) => Ok(None),
                Ok(count) => {
                    piece.truncate(count);
                    Ok(Some((Bytes::from(piece), Some(reader))))
                }
                Err(error) => Err(refused(DecryptError::Io(error), &key, &target)),
            }
        }
    })
    .boxed()
}

/// Why something does not open: what the store said, a key that is not there, or damage.
fn refused(error: DecryptError, key: &str, target: &str) -> WorldError {
    let error = match error {
        DecryptError::Io(error) => match error.downcast::<WorldError>() {
            Ok(of_the_store) => return of_the_store,
            Err(error) => DecryptError::Io(error),
        },
        error => error,
    };
    if matches!(error, DecryptError::NoMatchingKeys) {
        let message = format!("{key} was not sealed for any identity of this machine");
        return WorldError::new(ErrorKind::Unauthenticated, target, message)
            .hint("name the file of the right identities at the store: `seal: { identities: … }`");
    }
    let message = format!("{key} does not open: {error}");
    WorldError::new(ErrorKind::Damaged, target, message)
}

#[cfg(test)]
mod tests;
