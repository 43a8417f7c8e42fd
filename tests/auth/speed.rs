//! What a verification costs. Run by hand: `cargo test --test auth -- --ignored --nocapture verification`.

use std::time::Instant;

use crate::keys::Signer;
use crate::world::World;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "prints figures, claims nothing"]
async fn verification_cost_by_algorithm() {
    const ROUNDS: u32 = 2000;
    let world = World::start();
    for (signer, kid) in [(Signer::rsa(), "rsa"), (Signer::ec(), "ec"), (Signer::ed(), "ed")] {
        let token = signer.token(kid, &world.claims());
        let started = Instant::now();
        for _ in 0..ROUNDS {
            world.authenticator.authenticate(&token).await.unwrap();
        }
        println!("{}: {:?} a token", signer.algorithm(), started.elapsed() / ROUNDS);
    }
}
