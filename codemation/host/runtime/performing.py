"""Perform one activation: fetch what reached the node, call its code, store what it gave, and say so as a signal."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from codemation.core.definition import NodeKind
from codemation.core.errors import LimitExceeded, StoreUnavailable
from codemation.core.ids import node_of
from codemation.core.inputs import Foreseen, Held
from codemation.core.items import Batch
from codemation.core.opening import OpenRun
from codemation.core.pausing import WAITING
from codemation.core.ports import Claim
from codemation.core.resources import ResourceError
from codemation.core.sharding import is_sharded
from codemation.core.values import classes_of
from codemation.host.runtime.activity import Activity, Performed, Stop
from codemation.host.runtime.batchwise import perform_batch
from codemation.host.runtime.capture import CAPTURE
from codemation.host.runtime.combining import perform_catch, perform_join, perform_merge
from codemation.host.runtime.delegating import perform_subworkflow
from codemation.host.runtime.gate import Gate, entered
from codemation.host.runtime.itemwise import ItemwisePerformance
from codemation.host.runtime.meter import Meter
from codemation.host.runtime.recalling import key_for, recalled, remember
from codemation.host.runtime.saying import Saying
from codemation.host.runtime.sharding import ItemJoin, ItemShard, ItemSplit, join_batches, split_batch
from codemation.host.runtime.trouble import ItemFailed
from codemation.host.runtime.waiting import perform_waiting
from codemation.host.runtime.workbench import RunCode, Workbench


class Performance:
    """One activation, from its claim to the signal that says how it ended."""

    def __init__(self, bench: Workbench, run: OpenRun, code: RunCode, claim: Claim, meter: Meter) -> None:
        self.claim = claim
        self.error: Exception | None = None
        """What the node raised."""
        self._key: bytes | None = None
        """Names what is given, where it is to be taken again."""
        self._bench = bench
        self._code = code
        self._items: ItemwisePerformance | None = None
        """The way to perform it, prepared before it begins."""
        self._handed_on = False
        """Whether the only node that reads what is given has it already."""
        self._activity = Activity(bench, run, code, claim, meter)
        self._saying = Saying(claim.activation, self._activity.attempt, run.id, bench.engine, bench.listening)

    def perform(self, stop: Stop, *, splits: bool = False) -> Performed:
        """Do the work; where the node asks for shards and `splits` allows it, only say in which parts it is done.

        Raises:
            Interrupted: `stop` said so; what was finished until then is recorded as progress.
        """
        activity = self._activity
        activity.begin()
        with CAPTURE.into(self._saying), classes_of(self._code.build):
            try:
                return self._performed(stop, splits=splits)
            except StoreUnavailable:  # no fault of the node, and nothing could be recorded now
                raise
            except Exception as error:  # noqa: BLE001  # whatever a node raises is its result
                self.error, delay = activity.judged(error)
                if delay is None and self._caught and not isinstance(error, LimitExceeded):
                    return activity.caught(self.error)
                return activity.failure(self.error, delay=delay), None
            finally:
                activity.meter.end(activity.node.id, part=activity.part)
                self._saying.end()

    def prepare(self, stop: Stop, held: Held, fresh: Mapping[str, bytes]) -> None:
        """Before it may begin: make ready what needs neither the node's code nor a store; see `Activity.read_ahead`."""
        activity = self._activity
        record = activity.run.snapshot.nodes.get(activity.node.id)
        with classes_of(self._code.build):
            try:
                activity.read_ahead(held, fresh)
                if self._is_plain and not (record and record.partial.size):
                    self._items = ItemwisePerformance(activity, stop, self._saying.keep)
                    self._items.prepare()
            except Exception:  # noqa: BLE001  # whatever it is comes up again when it is performed
                self._items = None

    def following(self, claim: Claim, outputs: Mapping[str, Batch], stop: Stop) -> Performance | None:
        """What is done after this one, whose outputs are being recorded; `None` where that has to wait for them."""
        activity, run = self._activity, self._activity.run
        if run.snapshot.plan.nodes[node_of(claim.activation)].policy.total_timeout is not None:
            return None
        after = Performance(self._bench, run, self._code, claim, activity.meter)
        after.prepare(stop, Foreseen(run.snapshot, activity.node.id, outputs), activity.stored_as(outputs))
        self._handed_on = after._items is not None and len(run.snapshot.plan.followers.get(activity.node.id, ())) == 1
        return after

    @property
    def _is_plain(self) -> bool:
        """Whether its code is called item by item with nothing that has to be opened for it."""
        node = self._activity.node
        return (
            node.grain == "item"
            and node.kind in _PLAIN
            and not (node.policy.cache or is_sharded(node.policy))
            and self._activity.has_code
            and not self._activity.code.signature.injections
        )

    @property
    def progressed(self) -> bool:
        """Whether finished items may have been recorded."""
        return self._activity.progressed

    def keep(self) -> None:
        """Once the step stands: have at hand what the next nodes will read."""
        if not self._handed_on:
            self._activity.keep()
        if self._key is not None and self.error is None:
            remember(self._activity, self._key)

    def _performed(self, stop: Stop, *, splits: bool) -> Performed:
        activity = self._activity
        if self._items is not None:
            return self._itemwise(self._items)
        if activity.shard is not None:
            return self._part(stop)
        if activity.node.policy.cache:
            self._key = key_for(activity)
        if activity.claim.joins:
            return self._joined(stop)
        known = recalled(activity, self._key) if self._key is not None and activity.caches else None
        if known is not None:
            return known, None
        if not (splits and is_sharded(activity.node.policy)):
            return self._executed(stop)
        if activity.node.grain == "item":
            return self._itemwise(self._way(stop, ItemSplit))
        split = split_batch(activity)
        return (split, None) if split is not None else self._executed(stop)

    def _part(self, stop: Stop) -> Performed:
        if self._activity.node.grain == "item":
            return self._itemwise(self._way(stop, ItemShard))
        return perform_batch(self._activity, stop)

    def _joined(self, stop: Stop) -> Performed:
        if self._activity.node.grain == "item":
            return self._itemwise(self._way(stop, ItemJoin))
        return join_batches(self._activity)

    def _executed(self, stop: Stop) -> Performed:
        match self._activity.node.kind:
            case NodeKind.MERGE:
                return perform_merge(self._activity)
            case NodeKind.JOIN:
                return perform_join(self._activity)
            case NodeKind.CATCH:
                return perform_catch(self._activity)
            case NodeKind.LOOP:
                return self._round(stop)
            case kind if kind in WAITING:
                return self._asking(perform_waiting)
            case NodeKind.SUBWORKFLOW if self._activity.code.model is not None:
                return self._asking(perform_subworkflow)
            case _ if self._activity.node.grain == "item":
                return self._itemwise(self._way(stop, ItemwisePerformance))
            case _:
                return perform_batch(self._activity, stop)

    @property
    def _caught(self) -> bool:
        """Whether a failure of the whole comes to the end of a piece; that of a part fails the whole first."""
        return bool(self._activity.node.caught_by) and self._activity.shard is None

    def _asking(self, perform: Callable[[Activity], Performed]) -> Performed:
        try:
            return perform(self._activity)
        except ItemFailed as failed:
            self.error = failed.error
            return self._activity.failure(failed.error, item=failed.position), None

    def _round(self, stop: Stop) -> Performed:
        if not Gate.is_under_way(self._activity):
            return entered(self._activity)
        return self._itemwise(self._way(stop, Gate))

    def _way(self, stop: Stop, way: type[ItemwisePerformance]) -> ItemwisePerformance:
        return way(self._activity, stop, self._saying.keep)

    def _itemwise(self, work: ItemwisePerformance) -> Performed:
        """A failure was decided item by item, retries included; anything else that goes wrong is final."""
        try:
            return work.perform()
        except (StoreUnavailable, ResourceError):  # the latter fails the whole activation, which may be tried again
            raise
        except ItemFailed as failed:
            self.error = failed.error
            return work.failed(failed.error, failed.position)
        except Exception as error:  # noqa: BLE001  # as above
            self.error = error
            if self._caught:
                return self._activity.caught(error)
            return work.failed(error)


_PLAIN = frozenset({NodeKind.THEN, NodeKind.MAP, NodeKind.FILTER, NodeKind.BRANCH, NodeKind.SWITCH, NodeKind.SPLIT})
