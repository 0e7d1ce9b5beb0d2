//! Keeps a peer from ending a task of ours: tonic panics on `grpc-status-details-bin` that is not
//! base64.

use http::{HeaderMap, Response};
use http_body::Frame;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use tonic::Status;
use tonic::body::Body;
use tonic::metadata::MetadataMap;

const DETAILS: &str = "grpc-status-details-bin";

/// The response, without details that can't be decoded. What breaks while it is read is a broken
/// connection.
pub(super) fn checked(response: Response<Incoming>) -> Response<Body> {
    let (mut parts, body) = response.into_parts();
    parts.headers = sound(parts.headers);
    let body = body
        .map_frame(|frame| match frame.into_trailers() {
            Ok(trailers) => Frame::trailers(sound(trailers)),
            Err(frame) => frame,
        })
        .map_err(|error| Status::unavailable(format!("connection lost: {error}")));
    Response::from_parts(parts, Body::new(body))
}

pub(super) fn sound(headers: HeaderMap) -> HeaderMap {
    if !headers.contains_key(DETAILS) {
        return headers;
    }
    let mut metadata = MetadataMap::from_headers(headers);
    let sound = metadata
        .get_bin(DETAILS)
        .is_some_and(|details| details.to_bytes().is_ok());
    if !sound {
        metadata.remove_bin(DETAILS);
    }
    metadata.into_headers()
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn details_that_are_not_base64_are_left_out() {
        for (value, kept) in [
            ("CAo", true),
            ("CAo=", true),
            ("!", false),
            ("CAo=x", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert("grpc-status", HeaderValue::from_static("10"));
            headers.insert(DETAILS, HeaderValue::from_str(value).unwrap());
            let headers = sound(headers);
            assert_eq!(headers.contains_key(DETAILS), kept, "{value}");
            assert!(headers.contains_key("grpc-status"));
        }
    }
}
