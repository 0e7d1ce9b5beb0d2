//! An issuer of tokens, on a socket of this host.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::AbortHandle;

use super::signer::Signer;

pub struct TestIssuer {
    pub url: String,
    state: Arc<Mutex<State>>,
    task: AbortHandle,
}

struct State {
    url: String,
    keys: Vec<Value>,
    algorithms: Vec<&'static str>,
    manner: Manner,
    asked: usize,
}

/// How it answers whoever asks for its keys.
#[derive(Clone, Debug, PartialEq)]
pub enum Manner {
    Well,
    /// With this, whole.
    With(String),
    /// It speaks of itself by another name.
    AsAnother,
    /// Never.
    Silently,
}

impl TestIssuer {
    pub async fn start(keys: &[&Signer]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/realm", listener.local_addr().unwrap());
        let state = Arc::new(Mutex::new(State {
            url: url.clone(),
            keys: keys.iter().map(|it| it.jwk()).collect(),
            algorithms: Vec::new(),
            manner: Manner::Well,
            asked: 0,
        }));
        let shared = Arc::clone(&state);
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(answer(stream, Arc::clone(&shared)));
            }
        });
        Self {
            url,
            state,
            task: task.abort_handle(),
        }
    }

    pub fn show(&self, keys: &[&Signer]) {
        self.state.lock().unwrap().keys = keys.iter().map(|it| it.jwk()).collect();
    }

    pub fn sign_only_by(&self, algorithms: &[&'static str]) {
        self.state.lock().unwrap().algorithms = algorithms.to_vec();
    }

    pub fn answer(&self, manner: Manner) {
        self.state.lock().unwrap().manner = manner;
    }

    /// How often it was asked for its keys.
    pub fn asked(&self) -> usize {
        self.state.lock().unwrap().asked
    }
}

impl Drop for TestIssuer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn answer(mut stream: TcpStream, state: Arc<Mutex<State>>) {
    let mut question = Vec::new();
    while !question.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => question.push(byte),
            Err(_) => return,
        }
    }
    let question = String::from_utf8(question).unwrap();
    let said = {
        let mut state = state.lock().unwrap();
        if question.starts_with("GET /realm/.well-known/openid-configuration ") {
            state.asked += 1;
            discovery(&state)
        } else if question.starts_with("GET /realm/keys ") {
            Some(with_head(&json!({"keys": state.keys}).to_string()))
        } else {
            Some("HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n".to_owned())
        }
    };
    match said {
        Some(said) => _ = stream.write_all(said.as_bytes()).await,
        None => std::future::pending().await,
    }
}

fn discovery(state: &State) -> Option<String> {
    let mut said = json!({"issuer": state.url, "jwks_uri": format!("{}/keys", state.url)});
    if !state.algorithms.is_empty() {
        said["id_token_signing_alg_values_supported"] = json!(state.algorithms);
    }
    match &state.manner {
        Manner::Well => {}
        Manner::AsAnother => said["issuer"] = json!("https://another"),
        Manner::With(answer) => return Some(answer.clone()),
        Manner::Silently => return None,
    }
    Some(with_head(&said.to_string()))
}

pub fn with_head(body: &str) -> String {
    let length = body.len();
    format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
    )
}
