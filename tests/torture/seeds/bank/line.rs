//! The network between the `http` adapter and the banks: no wire and no waiting, but requests that are lost, held back for as long as
//! the seed says, and lines that are down.

use async_trait::async_trait;
use chrono::TimeDelta;
use landfall::providers::transport::{Transport, TransportError, WireRequest, WireResponse};
use landfall::simulator::api::{ApiRequest, Reply, handle};
use landfall::simulator::line;

use super::{Bank, Books, Transit};

pub struct Line(pub Bank);

#[async_trait]
impl Transport for Line {
    async fn call(&self, request: WireRequest) -> Result<WireResponse, TransportError> {
        let arriving = line::arriving(&request);
        let lane = request.base_url.trim_start_matches("http://").to_owned();
        let mut books = self.0.books();
        let answer = books.call(&lane, arriving, &request);
        books.last = match &answer {
            Ok(response) => format!("{} {}", response.status, String::from_utf8_lossy(&response.body)),
            Err(error) => error.to_string(),
        };
        books.pass();
        answer
    }
}

impl Books {
    fn call(
        &mut self,
        lane: &str,
        arriving: ApiRequest,
        request: &WireRequest,
    ) -> Result<WireResponse, TransportError> {
        let now = self.now();
        let broken = |what: &str| Err(TransportError::Broken(what.to_owned()));
        let (is_out, wild) = {
            let state = &self.lanes[lane];
            (state.outage_until.is_some_and(|until| now < until), state.wild)
        };
        if is_out {
            self.fault("network: line down");
            if self.draw.percent(60) {
                return Err(TransportError::NotConnected("no route to host".to_owned()));
            }
            if self.draw.percent(50) {
                let _ = self.handle(lane, &arriving);
            }
            return broken("connection reset");
        }
        if request.method == "POST" && !self.calm && self.draw.below(1_000) < wild {
            let millis = self.draw.millis();
            self.fault("network: request held back");
            self.transit.push(Transit {
                at: now + TimeDelta::milliseconds(millis),
                lane: lane.to_owned(),
                request: arriving,
            });
            return broken("timed out");
        }
        line::seen(self.handle(lane, &arriving), request.timeout).0
    }

    /// A request reaches its bank.
    pub(super) fn handle(&mut self, lane: &str, request: &ApiRequest) -> Reply {
        let now = self.now();
        handle(self.ledgers.get_mut(lane).unwrap(), request, now)
    }
}
