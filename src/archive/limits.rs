//! How much an archive may ask of the machine that reads it. A bucket may be written by somebody else.

/// The limits of one reading; [`Limits::default`] has those that are argued below.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Tar entries, extension headers included.
    pub entries: u64,
    /// Bytes of one object.
    pub entry_bytes: u64,
    /// Bytes of the whole archive when decompressed.
    pub total_bytes: u64,
    /// Decompressed bytes per compressed byte, once the first 16 MiB are passed.
    pub ratio: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            entries: ENTRIES_MAX,
            entry_bytes: ENTRY_BYTES_MAX,
            total_bytes: TOTAL_BYTES_MAX,
            ratio: RATIO_MAX,
        }
    }
}

/// Two million objects, each twice; the largest cluster in Velero's issues has 67,000. The index that
/// finds duplicates takes about 100 bytes for each object.
const ENTRIES_MAX: u64 = 4_000_000;

/// An API server takes objects up to 3 MiB and etcd stores up to 8 MiB at the largest common setting;
/// JSON is up to four times the size of what is stored.
const ENTRY_BYTES_MAX: u64 = 32 * 1024 * 1024;

/// What Velero refuses to extract beyond; the largest archive in its issues has 1.3 GB.
const TOTAL_BYTES_MAX: u64 = 16 * 1024 * 1024 * 1024;

/// Real archives have 9 to 13; 5,000 small objects that differ only in name have 90, and larger ones
/// of a benchmark may pass 250. Zeros have 1032, the most that gzip can do. Refusing a true backup
/// would be worse than some seconds of work: memory is bounded without this limit.
const RATIO_MAX: u64 = 600;

/// A small archive may have any ratio: this much memory traffic harms nobody.
pub(super) const RATIO_FREE_BYTES: u64 = 16 * 1024 * 1024;

/// Bytes of a manifest: as much metadata as Velero reads of one file. That of two million objects is smaller.
pub(super) const MANIFEST_BYTES_MAX: u64 = 1024 * 1024 * 1024;

/// Bytes of a path. The longest that Kubernetes allows: a plural and a group (63 and 253), a
/// namespace (63), a name (253, for some kinds more) and the folders around them.
pub(super) const PATH_BYTES_MAX: usize = 1024;

/// Parts of a path: `resources`, resource, version, `namespaces`, namespace, file.
pub(super) const PATH_DEPTH_MAX: usize = 6;

/// Bytes of an extension header: it holds little more than one path.
pub(super) const EXTENSION_BYTES_MAX: u64 = 16 * 1024;

/// Zeros after the end mark. Common programs fill up to 10 KiB; some tapes to 1 MiB.
pub(super) const PADDING_BYTES_MAX: u64 = 1024 * 1024;

/// Values in one object. The 1.5 MiB that etcd takes by default hold no more than that at six bytes each,
/// the shortest that a member of a map can be. Held in memory as such members they take 30 MB.
pub(super) const JSON_VALUES_MAX: usize = 250_000;
