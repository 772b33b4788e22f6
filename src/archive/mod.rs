//! A backup as bytes: Velero's layout, read and written as a stream, with a manifest of our own that
//! names every object with its checksum.
//!
//! Pure: readers and writers of [`std::io`], no store, no clock, nothing unpacked to disk. Where the
//! files lie is in [`Keys`]; what is in the archive comes out of [`Reader`] and goes in by [`Writer`];
//! whether it is what was written is for [`verify()`] to say.
//!
//! ## Why Velero's layout
//!
//! Nobody should have to trust a new tool to be there on the worst day. What lifeboat writes,
//! `velero restore` reads; what Velero wrote, lifeboat reads. Velero refuses foreign folders at the
//! top of its bucket, so our own files lie under `metadata/lifeboat/`.
//!
//! ## Order of writing
//!
//! Archive, optional files, `velero-backup.json`, and the manifest last: a backup without manifest was
//! not finished. Velero writes its metadata before the content and has no such mark.

mod blocks;
mod entries;
mod error;
mod extras;
mod foreign;
mod header;
mod json;
mod layout;
mod limits;
mod manifest;
mod path;
mod reader;
pub mod retention;
mod velero;
mod verify;
mod writer;

pub use entries::{Entries, Entry};
pub use error::{ArchiveError, WriteError};
pub use extras::extra_files;
pub use foreign::{BackupRecord, EXTRA_BYTES_MAX, Usable, listed, results, volumes};
pub use layout::{BadName, DELETIONS, Keys, backup_name, backup_of_key, moment_of_name};
pub use limits::Limits;
pub use manifest::{LeftOut, Manifest, ManifestError, Origin, Sum, Verified};
pub use reader::{Archived, Reader, Summary};
pub use velero::velero_backup;
pub use verify::{Wrong, verify};
pub use writer::{Contents, Writer};
