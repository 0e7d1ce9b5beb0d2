//! Machines with a mistake, which the simulator has to find. Each is the real one, but what goes
//! into it or comes out of it is changed.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "a mistake is about one event or effect; all others pass as they are"
)]

mod assignments;
mod candidate;
mod configuration;
mod copies;
mod disks;
mod elections;
mod followers;
mod leftovers;
mod mistaken;
mod moves;
mod offices;
mod seen;
mod servers;
mod stores;

use stepdown_core::call::EntryId;
use stepdown_core::lease::LeaseOptions;
use stepdown_core::{Options, Term, Timestamp};

use self::candidate::MistakenCandidate;
use self::mistaken::{Mistake, Mistaken};
use super::machine::{Candidate, Factory, Machine, Real};

/// The mistakes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    missing_docs,
    reason = "the names say it; each has a wrapper of its own, whose words say more"
)]
pub enum Planted {
    ActsInDoubt,
    ActsWithoutAuthority,
    AdoptsAnotherHead,
    ClosesTwice,
    CountsFromTheAnswer,
    CountsOneVoteTooFew,
    CutsTheFollowerMap,
    DeletesTooEarly,
    DeletesUnfenced,
    ElectsHealthyLeaders,
    ElectsTheFarthestOffset,
    ElectsTheSmallestHead,
    ElectsWithoutAMajority,
    FencesBeforeStoring,
    ForgetsAServer,
    ForgetsToDrain,
    ForgetsWhoLeft,
    GivesBackTooEarly,
    GivesUpAfterOneCheck,
    HearsAnOlderTenure,
    KeepsItsOutbox,
    KeepsTheEpoch,
    KeepsWhatItOpened,
    LeadsOnAnOldDocument,
    LetsTheForgetfulVote,
    MovesTheLonely,
    NeverBringsBack,
    NeverDeletes,
    NeverJumps,
    NeverMoves,
    NeverPauses,
    NeverTellsAgain,
    PublishesWhatIsNotStored,
    RecordsTooEarly,
    RenewsAfterTheClose,
    RepeatsOtherwise,
    RetriesAfterConflict,
    SaysNothingOfAnOldCopy,
    StaysThoughUseless,
    TakesARefusalForSuccess,
    TakesAnyAnswerForLeading,
    TakesEveryoneForAble,
    TakesFencedForJoined,
    TakesInWhoDiffers,
    TakesSilenceForDeleted,
    TellsAForeignServer,
    TellsOfNoFollower,
    TrustsAnOldCopy,
    TrustsWhatItHeard,
    TrustsWhatIsTold,
    UndoesADeletion,
    UnitesFeatures,
    UsesAShardIdTwice,
    UsesATermAgain,
    WaitsForTheDead,
    WorksWithAForeignServer,
}

impl Planted {
    /// What is wrong with the coordinator; `None` where it is the candidate, or how it is set.
    fn mistake(self) -> Option<Box<dyn Mistake>> {
        Some(match self {
            Self::CountsFromTheAnswer
            | Self::GivesBackTooEarly
            | Self::NeverMoves
            | Self::RenewsAfterTheClose => return None,
            Self::ActsInDoubt => Box::new(stores::ActsInDoubt),
            Self::ActsWithoutAuthority => Box::new(offices::ActsWithoutAuthority),
            Self::AdoptsAnotherHead => Box::new(stores::AdoptsAnotherHead::default()),
            Self::ClosesTwice => Box::new(offices::ClosesTwice),
            Self::CountsOneVoteTooFew => Box::new(elections::CountsOneVoteTooFew::default()),
            Self::CutsTheFollowerMap => Box::new(elections::CutsTheFollowerMap(1)),
            Self::DeletesTooEarly => Box::new(moves::DeletesTooEarly::default()),
            Self::DeletesUnfenced => Box::new(moves::DeletesUnfenced),
            Self::ElectsHealthyLeaders => Box::new(servers::ElectsHealthyLeaders),
            Self::ElectsTheFarthestOffset => Box::new(elections::MisreadsHeads(|head| EntryId {
                term: Term(0),
                ..head
            })),
            Self::ElectsTheSmallestHead => Box::new(elections::MisreadsHeads(|head| EntryId {
                term: Term(0),
                offset: i64::MAX / 2 - head.term.0 * 1_000_000_000 - head.offset,
            })),
            Self::ElectsWithoutAMajority => Box::new(elections::ElectsWithoutAMajority::default()),
            Self::FencesBeforeStoring => Box::new(elections::FencesBeforeStoring::default()),
            Self::ForgetsAServer => Box::new(moves::ForgetsAServer::default()),
            Self::ForgetsToDrain => Box::new(offices::ForgetsToDrain),
            Self::ForgetsWhoLeft => Box::new(moves::ForgetsWhoLeft),
            Self::GivesUpAfterOneCheck => Box::new(servers::GivesUpAfterOneCheck),
            Self::HearsAnOlderTenure => Box::new(offices::HearsAnOlderTenure),
            Self::KeepsItsOutbox => Box::new(offices::KeepsItsOutbox::default()),
            Self::KeepsWhatItOpened => Box::new(leftovers::KeepsWhatItOpened),
            Self::KeepsTheEpoch => Box::new(stores::KeepsTheEpoch::default()),
            Self::LeadsOnAnOldDocument => Box::new(stores::LeadsOnAnOldDocument::default()),
            Self::LetsTheForgetfulVote => Box::new(disks::LetsTheForgetfulVote),
            Self::MovesTheLonely => Box::new(moves::MovesTheLonely),
            Self::NeverBringsBack => Box::new(followers::NeverBringsBack),
            Self::NeverDeletes => Box::new(moves::NeverDeletes),
            Self::NeverJumps => Box::new(elections::NeverJumps),
            Self::NeverPauses => Box::new(offices::NeverPauses::default()),
            Self::NeverTellsAgain => Box::new(assignments::NeverTellsAgain::default()),
            Self::PublishesWhatIsNotStored => Box::new(assignments::PublishesWhatIsNotStored),
            Self::RecordsTooEarly => Box::new(elections::RecordsTooEarly),
            Self::RepeatsOtherwise => Box::new(stores::RepeatsOtherwise::default()),
            Self::RetriesAfterConflict => Box::new(stores::RetriesAfterConflict::default()),
            Self::SaysNothingOfAnOldCopy => Box::new(copies::SaysNothingOfAnOldCopy),
            Self::StaysThoughUseless => Box::new(offices::StaysThoughUseless::default()),
            Self::TakesARefusalForSuccess => Box::new(followers::TakesARefusalForSuccess),
            Self::TakesAnyAnswerForLeading => Box::new(servers::TakesAnyAnswerForLeading),
            Self::TakesEveryoneForAble => Box::new(moves::TakesEveryoneForAble),
            Self::TakesFencedForJoined => Box::new(followers::TakesFencedForJoined::default()),
            Self::TakesInWhoDiffers => Box::new(followers::TakesInWhoDiffers::default()),
            Self::TakesSilenceForDeleted => Box::new(moves::TakesSilenceForDeleted),
            Self::TellsAForeignServer => Box::new(servers::TellsAForeignServer::default()),
            Self::TellsOfNoFollower => Box::new(elections::CutsTheFollowerMap(0)),
            Self::TrustsAnOldCopy => Box::new(copies::TrustsAnOldCopy),
            Self::TrustsWhatItHeard => Box::new(configuration::TrustsWhatItHeard::default()),
            Self::TrustsWhatIsTold => Box::new(followers::TrustsWhatIsTold),
            Self::UndoesADeletion => Box::new(moves::UndoesADeletion),
            Self::UnitesFeatures => Box::new(elections::UnitesFeatures),
            Self::UsesAShardIdTwice => Box::new(stores::UsesAShardIdTwice),
            Self::UsesATermAgain => Box::new(elections::UsesATermAgain::default()),
            Self::WaitsForTheDead => Box::new(servers::WaitsForTheDead),
            Self::WorksWithAForeignServer => Box::new(servers::WorksWithAForeignServer),
        })
    }
}

impl Factory for Planted {
    fn coordinator(&self, mut options: Options, now: Timestamp) -> Box<dyn Machine> {
        if *self == Self::NeverMoves {
            options.timing.moves_most = 0;
        }
        match self.mistake() {
            Some(mistake) => Box::new(Mistaken::new(mistake, options, now)),
            None => Real.coordinator(options, now),
        }
    }

    fn candidate(&self, options: LeaseOptions, now: Timestamp) -> Box<dyn Candidate> {
        Box::new(MistakenCandidate::new(*self, options, now))
    }
}

/// A mistake, where what breaks a property in a single call is not looked at: what comes of it is to
/// show.
#[derive(Clone, Copy, Debug)]
pub struct Overlooked(pub Planted);

impl Factory for Overlooked {
    fn coordinator(&self, mut options: Options, now: Timestamp) -> Box<dyn Machine> {
        // An election for a move would mend what was spoiled before it shows.
        options.timing.moves_most = 0;
        self.0.coordinator(options, now)
    }

    fn overlooks(&self, property: &str) -> bool {
        property.starts_with('T') || property == "H2" || property == "L7"
    }
}

/// A driver that does not look at the gate again before a call leaves that has waited for its turn.
#[derive(Clone, Copy, Debug)]
pub struct LooksOnce;

impl Factory for LooksOnce {
    fn looks_again(&self) -> bool {
        false
    }
}
