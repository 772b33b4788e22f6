//! A stream cut into pieces of a length, of which only the last may be shorter.

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};
use futures::stream::{BoxStream, Fuse, StreamExt as _};

use crate::effect::WorldError;

/// What is to be written, as it comes.
pub(super) type Body = BoxStream<'static, Result<Bytes, WorldError>>;

/// The stream, as far as it is not cut yet.
pub(super) struct Pieces {
    /// A stream may panic when it is asked again after its end, and the end is seen twice: by the last
    /// piece, which is short, and by who asks for one more.
    body: Fuse<Body>,
    /// What came already, in order; none of them empty.
    waiting: VecDeque<Bytes>,
}

impl Pieces {
    pub(super) fn of(body: Body) -> Self {
        Self {
            body: body.fuse(),
            waiting: VecDeque::new(),
        }
    }

    /// So many bytes, or all that are left; `None` at the end.
    ///
    /// # Errors
    ///
    /// The stream's: half a stream is never written as if it were whole.
    pub(super) async fn next(&mut self, length: usize) -> Result<Option<Bytes>, WorldError> {
        let Some(first) = self.chunk(length).await? else {
            return Ok(None);
        };
        let Some(second) = self.chunk(length - first.len()).await? else {
            return Ok(Some(first));
        };
        // In one go: what is not touched yet takes no memory, and a buffer that grows is there twice.
        let mut piece = BytesMut::with_capacity(length);
        piece.extend_from_slice(&first);
        piece.extend_from_slice(&second);
        drop((first, second));
        while let Some(chunk) = self.chunk(length - piece.len()).await? {
            piece.extend_from_slice(&chunk);
        }
        Ok(Some(piece.freeze()))
    }

    /// Whether nothing is left.
    pub(super) async fn is_over(&mut self) -> Result<bool, WorldError> {
        let next = self.chunk(usize::MAX).await?;
        let over = next.is_none();
        self.waiting.extend(next);
        Ok(over)
    }

    /// Gives a piece back, to be cut otherwise.
    pub(super) fn put_back(&mut self, piece: Bytes) {
        if !piece.is_empty() {
            self.waiting.push_front(piece);
        }
    }

    /// Between one byte and so many, as they came.
    async fn chunk(&mut self, length: usize) -> Result<Option<Bytes>, WorldError> {
        if length == 0 {
            return Ok(None);
        }
        loop {
            let next = match self.waiting.pop_front() {
                Some(chunk) => chunk,
                None => match self.body.next().await {
                    Some(chunk) => chunk?,
                    None => return Ok(None),
                },
            };
            if !next.is_empty() {
                let mut rest = next;
                let chunk = rest.split_to(rest.len().min(length));
                self.put_back(rest);
                return Ok(Some(chunk));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const PIECE: usize = 1000;

    fn pieces(chunks: Vec<usize>) -> Pieces {
        let mut next = 0_u8;
        let mut count = |length: usize| -> Bytes {
            let mut byte = || {
                next = next.wrapping_add(1);
                next
            };
            (0..length).map(|_| byte()).collect()
        };
        let chunks: Vec<_> = chunks.into_iter().map(|length| Ok(count(length))).collect();
        Pieces::of(futures::stream::iter(chunks).boxed())
    }

    async fn cut(mut pieces: Pieces) -> Vec<Bytes> {
        let mut all = Vec::new();
        while let Some(piece) = pieces.next(PIECE).await.unwrap() {
            all.push(piece);
        }
        all
    }

    async fn lengths(chunks: Vec<usize>) -> Vec<usize> {
        cut(pieces(chunks)).await.iter().map(Bytes::len).collect()
    }

    #[tokio::test]
    async fn a_stream_is_cut_into_full_pieces_and_a_rest() {
        assert_eq!(lengths(vec![]).await, Vec::<usize>::new());
        assert_eq!(lengths(vec![PIECE]).await, [PIECE]);
        assert_eq!(lengths(vec![PIECE - 1, 1]).await, [PIECE]);
        assert_eq!(lengths(vec![3 * PIECE + 5]).await, [PIECE, PIECE, PIECE, 5]);
        assert_eq!(lengths(vec![0, 5, 0, PIECE]).await, [PIECE, 5]);
    }

    #[tokio::test]
    async fn a_piece_that_is_given_back_is_cut_again() {
        for (chunks, over) in [
            (vec![1500], true),
            (vec![1500, 0], true),
            (vec![1499, 1], true),
            (vec![700, 700, 700], false),
        ] {
            let mut pieces = pieces(chunks);
            let begun = pieces.next(1500).await.unwrap().unwrap();
            assert_eq!(begun.len(), 1500);
            assert_eq!(pieces.is_over().await, Ok(over));
            pieces.put_back(begun);
            let all = cut(pieces).await;
            let rest = if over { 500 } else { 1000 };
            assert_eq!(all.iter().map(Bytes::len).collect::<Vec<_>>()[..2], [1000, rest]);
            assert!(
                all.concat()
                    .iter()
                    .zip(1..)
                    .all(|(byte, at)| *byte == at_byte(at))
            );
        }
    }

    fn at_byte(at: usize) -> u8 {
        u8::try_from(at % 256).unwrap()
    }

    #[tokio::test]
    async fn a_stream_that_has_ended_is_not_asked_again() {
        let chunks = futures::stream::unfold(3, |left: u8| async move {
            (left > 0).then(|| (Ok(Bytes::from(vec![7; PIECE / 2])), left - 1))
        });
        let all = cut(Pieces::of(chunks.boxed())).await;
        assert_eq!(all.iter().map(Bytes::len).collect::<Vec<_>>(), [PIECE, PIECE / 2]);
    }

    proptest! {
        #[test]
        fn no_byte_is_lost_or_made_however_the_stream_is_chunked(
            chunks in prop::collection::vec(0..2 * PIECE, 0..6)
        ) {
            let total: usize = chunks.iter().sum();
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            let all = runtime.block_on(cut(pieces(chunks)));
            let whole = all.concat();
            prop_assert_eq!(whole.len(), total);
            prop_assert!(whole.iter().zip(1..).all(|(byte, at)| *byte == at_byte(at)));
            prop_assert!(all.iter().rev().skip(1).all(|piece| piece.len() == PIECE));
        }
    }
}
