//! A PostgreSQL for tests: Debian's packages as the lab has fetched them, never installed. The server listens on a
//! socket in a folder and on no address. Tests of the library and of the binary include this file.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use super::bundle;

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

/// The server, its client and the libraries that they need, from the lab's cache. Where root runs the test they are
/// copied to where everybody may read them.
fn programs(open: &Path) -> Programs {
    let facts = bundle("postgresql");
    let fact = |name: &str| facts[name].as_str().expect(name).to_owned();
    let (cached, copy) = (fact("root"), open.join("programs").display().to_string());
    let root = if is_root() {
        let copied = Command::new("cp").args(["-r", &cached, &copy]).status();
        assert!(copied.expect("cp runs").success(), "{cached} cannot be copied");
        copy
    } else {
        cached.clone()
    };
    let here = |name: &str| fact(name).replace(&cached, &root);
    let program = PathBuf::from(here("program"));
    Programs {
        bin: program.parent().expect("its folder").to_owned(),
        libraries: here("environment").replace("LD_LIBRARY_PATH=", ""),
    }
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
    pub(crate) fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let open = std::fs::Permissions::from_mode(0o777);
        std::fs::set_permissions(folder.path(), open).expect("opened");
        let programs = programs(folder.path());
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
        server
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
