"""The words that say what moved, which way, and what is good and bad by itself. Written for this skill."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Final


@dataclass(frozen=True)
class Words:
    """The words of one language. `good` and `bad` things are those of which more is good, or bad."""

    up: str
    down: str
    good: str
    bad: str
    positive: str
    negative: str

    @cached_property
    def kinds(self) -> Mapping[str, str]:
        """Of each word what it is: `up`, `down`, `good`, `bad`."""
        return {word: kind for kind in ("up", "down", "good", "bad") for word in getattr(self, kind).split()}

    @cached_property
    def tones(self) -> Mapping[str, int]:
        """Words that are good or bad news by themselves: 1 or -1."""
        return {
            **{word.replace("_", " "): 1 for word in self.positive.split()},
            **{word.replace("_", " "): -1 for word in self.negative.split()},
        }


ENGLISH: Final = Words(
    up="""
    rise rises rose risen rising increase increases increased increasing grow grows grew grown growing growth up
    higher improve improves improved improving improvement climb climbs climbed climbing jump jumps jumped surge
    surges surged surging soar soars soared soaring gain gains gained double doubles doubled doubling triple
    triples tripled tripling quadrupled expand expands expanded expanding expansion upturn rally rallies rallied
    recover recovers recovered recovery strengthen strengthens strengthened strengthening accelerate accelerates
    accelerated boost boosts boosted exceed exceeds exceeded raise raises raised raising upgrade upgrades upgraded
    larger greater hike hikes advanced advances widen widens widened swell swelled multiplied rebound rebounds
    rebounded peak peaked swung above added leap leaps leapt spike spikes spiked
    """,
    down="""
    fall falls fell fallen falling decrease decreases decreased decreasing decline declines declined declining
    drop drops dropped dropping down lower lowers lowered lowering shrink shrinks shrank shrunk slump slumps
    slumped plunge plunges plunged slide slides slid reduce reduces reduced reducing reduction weaken weakens
    weakened weakening contracted contraction deteriorate deteriorates deteriorated cut cuts cutting diminish
    diminished halve halved dip dips dipped tumble tumbles tumbled sink sinks sank sunk narrow narrows narrowed
    narrowing less smaller downturn slowdown slowed slows downgrade downgrades downgraded ease eases eased retreat
    retreated below plummeted plummets crash crashes crashed collapse collapsed slashed slashes
    """,
    good="""
    profit profits sales revenue revenues earnings income turnover margin margins ebit ebitda eps demand order
    orders orderbook backlog volume volumes dividend dividends share shares market deliveries exports output
    production traffic passengers cash flow result results profitability productivity efficiency interest
    subscribers customers visitors investment price prices value rating yield return equity intake capacity stock
    guidance forecast outlook bookings shipments users liquidity
    """,
    bad="""
    loss losses cost costs expense expenses debt debts unemployment risk risks liabilities impairment impairments
    write-down write-downs writedown provisions charges charge taxes deficit defaults delay delays complaints
    emissions indebtedness gearing accidents redundancies layoffs lay-offs inflation claims penalties arrears
    bankruptcies shortfall burn churn
    """,
    positive="""
    won wins win awarded award record best strong stronger strongest robust solid successful successfully success
    profitable outperform outperforms outperformed beat beats exceeded approval approved approves breakthrough
    agreement partnership expand leading satisfied pleased excellent favourable favorable positive optimistic
    confident efficient innovative attractive benefit benefits enhance enhances secured secures contract upbeat
    bullish milestone resumed reinstated overweight cost-saving synergies leadership launched launches
    """,
    negative="""
    layoff layoffs lay-offs lawsuit lawsuits sued sues fraud bankruptcy bankrupt insolvency insolvent default
    defaulted investigation investigated probe recall recalls strike strikes warning warns warned weak weaker
    weakest poor disappointing disappoints disappointed miss misses missed loss-making unprofitable terminate
    terminated terminates cancelled canceled cancels suspended suspends delay delayed delays closure closing shut
    shutting dismissals redundancies negative pessimistic bearish crisis recession penalty fined fine fines breach
    violated violation scandal resigns restated restatement delisted delisting downgrade underweight struggling
    shortage outage hacked cyberattack sanctions tariffs unsold write-off impairment difficult challenging
    uncertainty adverse adversely unfavourable unfavorable halted halts plummeted selloff sell-off
    """,
)

CHINESE: Final = Words(
    up="""
    增长 上升 上涨 增加 提升 提高 上调 上修 增持 预增 大增 激增 翻番 翻倍 扩大 回升 反弹 攀升 涨停 走高 创新高
    增逾 增超 升至 加速 大涨 飙升 同比增 环比增 扭亏 增
    """,
    down="""
    下降 下跌 下滑 减少 降低 下调 下修 减持 预减 大减 锐减 缩水 回落 走低 跌停 创新低 降至 放缓 大跌 暴跌 跳水
    同比降 环比降 减亏 收窄 腰斩 预降 同比减少 同比减 跌 降 减
    """,
    good="""
    净利 净利润 利润 营收 营业收入 收入 业绩 销量 订单 毛利率 现金流 分红 股价 股份 市值 需求 产量 产能 出口
    市场份额 评级 目标价
    """,
    bad="""
    亏损 成本 费用 负债 债务 坏账 失业 风险 库存 违约 赤字 减值
    """,
    positive="""
    中标 签约 签署 签订 获批 获得 合作 回购 增持 扭亏 预盈 盈利 高送转 突破 落地 投产 获准 通过 获奖 中选 入选
    战略合作 补助 补贴 专利 首发 订单 派息 分红 预增 上修 上调 摘帽 复产 量产 买入 推荐 超预期 创新高 涨停 大单
    增资 收购 送转 利好 认证 注册证 重组获 过会 恢复上市 撤销 摘星 补充质押 解除质押 反垄断审查 龙头 领先 转增
    """,
    negative="""
    减持 亏损 预亏 下修 下调 立案 调查 处罚 警示函 监管 诉讼 仲裁 冻结 质押 平仓 违规 违约 终止 退市 风险警示 停产
    爆炸 火灾 事故 召回 裁员 辞职 被查 被捕 失联 造假 延期 逾期 破产 清算 暂停上市 不通过 未获 被否 失败 跌停 大跌
    暴跌 预减 谴责 关注函 问询函 爆仓 拘留 罚款 没收 撤回 解除 流拍 缩水 套现 利空 商誉减值 做空 债务危机 取消
    叫停 查封 强制 被动减持 下滑 解禁  清仓      限产 疫情   虚开 内斗       爆雷  戴帽
    """,
)
