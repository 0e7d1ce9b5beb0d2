//! The protocol of Oxia data servers: protobuf messages, services, error reasons.
