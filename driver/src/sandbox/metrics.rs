//! What a coordinator says at `/metrics`.

use std::net::SocketAddr;
use std::time::Duration;

use http::Request;
use http_body_util::{BodyExt, Empty};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tonic::codegen::Bytes;

use super::SandboxError;

const WITHIN: Duration = Duration::from_secs(2);

/// One scrape.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Samples(Vec<Sample>);

#[derive(Clone, Debug, PartialEq)]
struct Sample {
    name: String,
    labels: Vec<(String, String)>,
    value: f64,
}

/// Reads a coordinator's metrics; gives up after 2 seconds.
pub async fn scrape(address: SocketAddr) -> Result<Samples, SandboxError> {
    let failed = |reason: String| SandboxError::Scrape { address, reason };
    match tokio::time::timeout(WITHIN, get(address)).await {
        Ok(Ok(text)) => Ok(Samples::read(&text)),
        Ok(Err(reason)) => Err(failed(reason)),
        Err(_) => Err(failed("no answer in 2 s".to_owned())),
    }
}

async fn get(address: SocketAddr) -> Result<String, String> {
    let text = |error: &dyn std::fmt::Display| error.to_string();
    let stream = TcpStream::connect(address).await.map_err(|e| text(&e))?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream))
        .await
        .map_err(|e| text(&e))?;
    let request = Request::get("/metrics")
        .header(http::header::HOST, address.to_string())
        .body(Empty::<Bytes>::new())
        .map_err(|e| text(&e))?;
    let answer = async {
        let response = sender.send_request(request).await.map_err(|e| text(&e))?;
        let status = response.status();
        let body = response.into_body().collect().await.map_err(|e| text(&e))?;
        if status.is_success() {
            Ok(String::from_utf8_lossy(&body.to_bytes()).into_owned())
        } else {
            Err(format!("status {status}"))
        }
    };
    tokio::select! {
        biased;
        answer = answer => answer,
        ended = connection => Err(match ended {
            Ok(()) => "the connection was closed".to_owned(),
            Err(error) => text(&error),
        }),
    }
}

impl Samples {
    /// Reads the text format; lines that are no samples are passed over.
    pub fn read(text: &str) -> Self {
        Self(text.lines().filter_map(Sample::read).collect())
    }

    /// The sum of all series of this name that have all these labels; 0 where there is none.
    pub fn sum(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        self.matching(name, labels).map(|it| it.value).sum()
    }

    /// The label's value of every series of this name whose value is `value`.
    pub fn labels_at<'a>(
        &'a self,
        name: &'a str,
        label: &'a str,
        value: f64,
    ) -> impl Iterator<Item = &'a str> {
        self.matching(name, &[])
            .filter(move |it| (it.value - value).abs() < f64::EPSILON)
            .filter_map(move |it| it.labels.iter().find(|(name, _)| name == label))
            .map(|(_, value)| value.as_str())
    }

    fn matching(&self, name: &str, labels: &[(&str, &str)]) -> impl Iterator<Item = &Sample> {
        self.0.iter().filter(move |it| {
            it.name == name
                && labels
                    .iter()
                    .all(|(name, value)| it.labels.iter().any(|(n, v)| n == name && v == value))
        })
    }
}

impl Sample {
    fn read(line: &str) -> Option<Self> {
        if line.starts_with('#') {
            return None;
        }
        let (series, value) = line.rsplit_once(' ')?;
        let value = value.parse().ok()?;
        let (name, mut rest) = series.split_once('{').unwrap_or((series, ""));
        let mut labels = Vec::new();
        while let Some((label, quoted)) = rest.split_once("=\"") {
            let (value, after) = unquote(quoted)?;
            labels.push((label.trim_start_matches([',', ' ']).to_owned(), value));
            rest = after;
        }
        Some(Self {
            name: name.to_owned(),
            labels,
            value,
        })
    }
}

/// What comes before the closing quote, and what after.
fn unquote(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((at, char)) = chars.next() {
        match char {
            '"' => return Some((value, text.get(at + 1..)?)),
            '\\' => value.push(match chars.next()?.1 {
                'n' => '\n',
                other => other,
            }),
            other => value.push(other),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn series_are_found_by_name_and_labels() {
        let samples = Samples::read(concat!(
            "# HELP roles 1\n",
            "role{role=\"leader\"} 1\n",
            "role{role=\"candidate\"} 0\n",
            "moves{from=\"a\\\"}\",to=\"b c\"} 2\n",
            "moves{from=\"x\",to=\"b c\"} 3\n",
            "plain 4.5\n",
        ));
        assert_eq!(samples.sum("moves", &[("to", "b c")]), 5.0);
        assert_eq!(samples.sum("moves", &[("from", "a\"}")]), 2.0);
        assert_eq!(samples.sum("plain", &[]), 4.5);
        assert_eq!(samples.sum("absent", &[]), 0.0);
        let roles: Vec<_> = samples.labels_at("role", "role", 1.0).collect();
        assert_eq!(roles, ["leader"]);
    }
}
