//! How messages become bytes: as prost has it, in small buffers.
//!
//! tonic sets aside two buffers of 8 KiB for each call that is under way, and there are thousands while all shards of
//! a cluster are elected; nearly all that is said then fits into some 100 bytes. Larger messages make them grow.

use std::marker::PhantomData;

use prost::Message;
use tonic::codec::{BufferSettings, Codec};
use tonic_prost::ProstCodec;

/// Bytes that a buffer has at first.
const FIRST: usize = 512;
/// tonic's own: so many bytes are encoded before they are handed on.
const HANDED_ON: usize = 32 * 1024;

/// The codec of all generated clients and servers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SmallCodec<T, U>(PhantomData<(T, U)>);

impl<T, U> Default for SmallCodec<T, U> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<T, U> Codec for SmallCodec<T, U>
where
    T: Message + Send + 'static,
    U: Message + Default + Send + 'static,
{
    type Encode = T;
    type Decode = U;
    type Encoder = <ProstCodec<T, U> as Codec>::Encoder;
    type Decoder = <ProstCodec<T, U> as Codec>::Decoder;

    fn encoder(&mut self) -> Self::Encoder {
        ProstCodec::<T, U>::raw_encoder(BufferSettings::new(FIRST, HANDED_ON))
    }

    fn decoder(&mut self) -> Self::Decoder {
        ProstCodec::<T, U>::raw_decoder(BufferSettings::new(FIRST, HANDED_ON))
    }
}
