//! A way to an API server that can be held: bytes go through until so many have come back, and then none
//! before it is opened again. It knows nothing of what it carries.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};

/// What all connections of one way share.
struct Gate {
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    /// So many bytes may still come back; `None`: any.
    left: Option<usize>,
    held: bool,
}

/// The way. Connections end with those who made them.
pub(crate) struct Throttle {
    pub(crate) port: u16,
    gate: Arc<Gate>,
}

impl Throttle {
    /// Leads to this port, and holds what comes back after so many bytes.
    pub(crate) fn to(port: u16, after: usize) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let own = listener.local_addr().unwrap().port();
        let gate = Arc::new(Gate {
            state: Mutex::new(State {
                left: Some(after),
                held: false,
            }),
            changed: Condvar::new(),
        });
        let shared = Arc::clone(&gate);
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let Ok(server) = TcpStream::connect(("127.0.0.1", port)) else {
                    continue;
                };
                carry(client, server, &shared);
            }
        });
        Self { port: own, gate }
    }

    /// Waits until it holds something.
    pub(crate) fn wait_until_it_holds(&self) {
        let limit = std::time::Duration::from_mins(2);
        let state = self.gate.state.lock().unwrap();
        let (state, _) = self
            .gate
            .changed
            .wait_timeout_while(state, limit, |state| !state.held)
            .unwrap();
        assert!(state.held, "fewer bytes came back than were expected");
    }

    /// Lets everything through from now on.
    pub(crate) fn open(&self) {
        self.gate.state.lock().unwrap().left = None;
        self.gate.changed.notify_all();
    }
}

fn carry(client: TcpStream, server: TcpStream, gate: &Arc<Gate>) {
    let (mut from_client, mut to_server) = (client.try_clone().unwrap(), server.try_clone().unwrap());
    std::thread::spawn(move || {
        let _ = std::io::copy(&mut from_client, &mut to_server);
        let _ = to_server.shutdown(Shutdown::Write);
    });
    let gate = Arc::clone(gate);
    std::thread::spawn(move || {
        let (mut from, mut to) = (server, client);
        let mut buffer = [0; 16 * 1024];
        while let Ok(count @ 1..) = from.read(&mut buffer) {
            pass(&gate, count);
            if to.write_all(&buffer[..count]).is_err() {
                break;
            }
        }
        let _ = to.shutdown(Shutdown::Both);
    });
}

/// Waits until so many bytes may come back.
fn pass(gate: &Gate, count: usize) {
    let mut state = gate.state.lock().unwrap();
    loop {
        match state.left {
            None => return,
            Some(left) if left >= count => {
                state.left = Some(left - count);
                return;
            }
            Some(_) => {
                state.held = true;
                gate.changed.notify_all();
                state = gate.changed.wait(state).unwrap();
            }
        }
    }
}
