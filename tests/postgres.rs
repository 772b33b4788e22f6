//! A PostgreSQL for tests: Debian's packages, fetched with `apt-get download` and unpacked into the lab's cache, never
//! installed. The server listens on a socket in a folder and on no address. Tests of the library and of the binary
//! include this file.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

/// Root may not run it; `nobody` may.
const NOBODY: u32 = 65_534;

/// It is up in less than a second; a minute of looks is a server that does not come.
const LOOKS_MAX: u32 = 600;

/// Unpacked packages.
struct Programs {
    bin: PathBuf,
    libraries: String,
}

fn is_root() -> bool {
    std::fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0)
}

/// A server with a table of three orders, the newest of which is five minutes old.
pub(crate) struct Server {
    programs: Programs,
    folder: tempfile::TempDir,
    child: Child,
}

const SCHEMA: [&str; 4] = [
    "create table orders (number int, placed timestamptz, day timestamp)",
    "insert into orders select n, now() - n * interval '5 minutes', now() from generate_series(1, 3) n",
    "create sequence numbers",
    "create function clear() returns bigint language sql as 'delete from orders; select count(*) from orders'",
];

fn cache() -> PathBuf {
    let given = std::env::var_os("LIFEBOAT_LAB_CACHE").map(PathBuf::from);
    let usual = || {
        let home = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
        let home = home.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cache")));
        home.expect("a home").join("lifeboat-lab")
    };
    given.unwrap_or_else(usual)
}

fn output(program: &str, args: &[&str], folder: &Path) -> Option<String> {
    let done = Command::new(program)
        .args(args)
        .current_dir(folder)
        .output()
        .ok()?;
    done.status
        .success()
        .then(|| String::from_utf8_lossy(&done.stdout).into_owned())
}

/// Debian's server of the release, its client, and the libraries that they need; `None`: there is no apt here. Where
/// root runs the test they are copied to where everybody may read them.
fn programs(open: &Path) -> Option<Programs> {
    let here = Path::new("/");
    let of = output("apt-cache", &["depends", "postgresql"], here)?;
    let server = of
        .split_whitespace()
        .find(|word| word.starts_with("postgresql-"))?
        .to_owned();
    let version = server.trim_start_matches("postgresql-").to_owned();
    let root = cache().join(format!("debian-{server}"));
    if !root.is_dir() {
        fetch(&server, &version, &root)?;
    }
    let root = if is_root() {
        output("cp", &["-r", &root.display().to_string(), "programs"], open)?;
        open.join("programs")
    } else {
        root
    };
    let found = output("find", &[".", "-name", "*.so*", "-printf", "%h\n"], &root)?;
    let folders: std::collections::BTreeSet<String> = found
        .lines()
        .map(|line| root.join(line).display().to_string())
        .collect();
    Some(Programs {
        bin: root.join(format!("usr/lib/postgresql/{version}/bin")),
        libraries: folders.into_iter().collect::<Vec<_>>().join(":"),
    })
}

/// Downloads beside it and moves it there whole.
fn fetch(server: &str, version: &str, root: &Path) -> Option<()> {
    let client = format!("postgresql-client-{version}");
    let own = [server, &client];
    let flags = [
        "--recurse",
        "--no-recommends",
        "--no-suggests",
        "--no-conflicts",
        "--no-breaks",
        "--no-replaces",
        "--no-enhances",
    ];
    let all = output(
        "apt-cache",
        &[&["depends"], &flags[..], &own].concat(),
        Path::new("/"),
    )?;
    let wanted = |name: &&str| {
        let library = name.starts_with("lib") && !name.starts_with("libllvm") && !name.starts_with("libc6");
        library && !name.contains('<') && !name.contains(':')
    };
    let names = all.lines().filter(|line| !line.starts_with([' ', '|']));
    let packages: std::collections::BTreeSet<&str> = names.filter(wanted).chain(own).collect();
    std::fs::create_dir_all(root.parent()?).expect("the cache");
    let fresh = tempfile::tempdir_in(root.parent()?).expect("a folder in the cache");
    let args: Vec<&str> = ["download", "-q"].into_iter().chain(packages).collect();
    output("apt-get", &args, fresh.path())?;
    let unpacked = fresh.path().join("root");
    for entry in std::fs::read_dir(fresh.path()).expect("listed") {
        let package = entry.expect("listed").path();
        if package.extension().is_some_and(|extension| extension == "deb") {
            let package = package.display().to_string();
            output("dpkg", &["-x", &package, "root"], fresh.path())?;
        }
    }
    // Whoever was faster has the same.
    let _ = std::fs::rename(&unpacked, root);
    Some(())
}

impl Programs {
    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(self.bin.join(program));
        command.env("LD_LIBRARY_PATH", &self.libraries).env("LC_ALL", "C");
        if is_root() {
            command.uid(NOBODY).gid(NOBODY);
        }
        command
    }
}

impl Server {
    /// `None`: no apt here, so nothing is proved; that is said.
    pub(crate) fn start() -> Option<Self> {
        let folder = tempfile::tempdir().expect("a folder");
        let open = std::fs::Permissions::from_mode(0o777);
        std::fs::set_permissions(folder.path(), open).expect("opened");
        let Some(programs) = programs(folder.path()) else {
            println!("NOT RUN: PostgreSQL comes from Debian's packages, and apt gives none here");
            return None;
        };
        let data = folder.path().join("data");
        let made = programs
            .command("initdb")
            .args(["-A", "trust", "-U", "shop", "-E", "UTF8", "--no-sync", "-D"])
            .arg(&data)
            .current_dir(folder.path())
            .output()
            .expect("initdb runs");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let child = programs
            .command("postgres")
            .arg("-D")
            .arg(&data)
            .args(["-c", "listen_addresses=", "-c", "fsync=off", "-k"])
            .arg(folder.path())
            .current_dir(folder.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("postgres runs");
        let server = Self {
            programs,
            folder,
            child,
        };
        server.write_psql();
        let mut looks = 0;
        while let Err(why) = server.sql("select 1") {
            looks += 1;
            assert!(looks < LOOKS_MAX, "{why}");
            std::thread::sleep(Duration::from_millis(100));
        }
        for statement in SCHEMA {
            server.sql(statement).expect("the tables");
        }
        Some(server)
    }

    /// How it is reached.
    pub(crate) fn connect(&self) -> String {
        format!("host={} user=shop dbname=postgres", self.folder.path().display())
    }

    /// Where its own `psql` is, with its libraries.
    pub(crate) fn psql_file(&self) -> PathBuf {
        self.folder.path().join("psql")
    }

    /// Runs that to its end.
    pub(crate) fn psql(&self, args: impl IntoIterator<Item = impl AsRef<std::ffi::OsStr>>) -> Output {
        let mut command = Command::new(self.psql_file());
        command.args(args).stdin(Stdio::null());
        command.output().expect("psql runs")
    }

    fn write_psql(&self) {
        let (libraries, psql) = (&self.programs.libraries, self.programs.bin.join("psql"));
        let text = format!(
            "#!/bin/sh\nLD_LIBRARY_PATH={libraries} LC_ALL=C exec {} \"$@\"\n",
            psql.display()
        );
        std::fs::write(self.psql_file(), text).expect("written");
        let all = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(self.psql_file(), all).expect("made a program");
    }

    /// What its own `psql` says to a statement.
    ///
    /// # Errors
    ///
    /// Its complaint.
    pub(crate) fn sql(&self, statement: &str) -> Result<String, String> {
        let connect = self.connect();
        let args = ["-X", "-A", "-t", "-q", "-d", &connect, "-c", statement];
        let done = self.psql(args);
        let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
        if done.status.success() {
            Ok(said(&done.stdout))
        } else {
            Err(said(&done.stderr))
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Only the process that this test began.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
