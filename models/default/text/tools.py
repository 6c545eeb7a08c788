"""The tools that conversations offer: their names in many words, their parameters, and what is asked of them."""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any

from .values import ENGLISH, made_up_word

Value = Callable[[Random], Any]


@dataclass(frozen=True, slots=True)
class Parameter:
    """One argument: names to choose from, JSON type, and the values of it that questions name."""

    names: tuple[str, ...]
    type: str
    value: Value
    choices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool. Patterns (grammar.py) hold `{0}`, `{1}` for the parameters, an answer `{result}`."""

    verbs: tuple[str, ...]
    nouns: tuple[str, ...]
    description: str
    parameters: tuple[Parameter, ...]
    questions: tuple[str, ...]
    chinese: tuple[str, ...]
    result_key: str
    result: Value
    answer: str
    chinese_answer: str


def _word(random: Random) -> str:
    return made_up_word(random) if random.random() < 0.4 else random.choice(_SUBJECTS)


_SUBJECTS = (
    *("milk", "bread", "music", "jazz", "cats", "robots", "taxes", "coffee", "history", "football", "wine", "garden"),
    *(
        "solar panels",
        "red shoes",
        "old maps",
        "green tea",
        "electric cars",
        "space travel",
        "black holes",
        "cheap flights",
    ),
)
_ROOMS = ("kitchen", "bedroom", "office", "garage", "hall", "bathroom", "cellar", "living room")
_CITY = Parameter(("city", "city", "location", "place", "town"), "string", ENGLISH["city"])
_GET = ("get", "fetch", "look_up", "find", "query", "check")
TOOLS = (
    Tool(
        (*_GET, "current"),
        ("weather", "forecast", "weather_report", "temperature"),
        "Get the weather of a city.",
        (_CITY,),
        (
            "(what is|what's|how is|hows) the (weather|weather like|forecast) in {0}(|?| today| now)",
            "(weather|forecast) (in|for) {0}",
            "is it (raining|cold|warm|sunny|hot) in {0}?",
            "(do I need an umbrella in|how warm is it in|how cold is it in) {0}",
            "tell me the (weather|temperature) in {0}",
        ),
        ("{0}(的|)天气(怎么样|如何|)(？|)", "{0}今天(冷吗|热吗|下雨吗)？", "(查|查一下|告诉我){0}的(天气|气温)"),
        "weather",
        lambda r: f"{r.choice(('sunny', 'rain', 'cloudy', 'snow', 'windy', 'fog'))}, {r.randint(-9, 38)} degrees",
        "The weather in {0}: {result}.",
        "{0}的天气：{result}。",
    ),
    Tool(
        (*_GET, "current"),
        ("time", "local_time", "clock"),
        "Get the local time of a city.",
        (_CITY,),
        (
            "what time is it in {0}(|?| now)",
            "(current|local) time in {0}",
            "(tell|give) me the time in {0}",
            "how late is it in {0}?",
        ),
        ("{0}现在几点(了|)(？|)", "{0}的时间是多少", "告诉我{0}当地时间"),
        "time",
        ENGLISH["time"],
        "It is {result} in {0}.",
        "{0}现在是{result}。",
    ),
    Tool(
        ("send", "write", "compose"),
        ("email", "mail", "e_mail"),
        "Send an e-mail.",
        (
            Parameter(("to", "recipient", "address"), "string", ENGLISH["email"]),
            Parameter(("subject", "topic", "title"), "string", _word),
        ),
        (
            "(send|write) an (email|e-mail|mail) to {0} (about|with the subject) {1}",
            "(mail|email) {0} about {1}",
            "please (send|write) {0} (a mail|an email) about {1}",
        ),
        ("给 {0} 发一封(邮件|电子邮件)，主题是 {1}", "(发|写)邮件给 {0}，(主题|标题) {1}"),
        "status",
        lambda r: r.choice(("sent", "queued", "delivered")),
        "The mail to {0} is {result}.",
        "给 {0} 的邮件：{result}。",
    ),
    Tool(
        ("set", "create", "start", "add"),
        ("timer", "countdown", "kitchen_timer"),
        "Start a timer.",
        (Parameter(("minutes", "duration_minutes", "length"), "integer", lambda r: r.randint(2, 90)),),
        (
            "(set|start) a timer (for|of) {0} minutes",
            "timer {0} minutes",
            "(wake|remind|call) me in {0} minutes",
            "count down {0} minutes",
        ),
        ("(设|定|设置)一个{0}分钟的(计时器|定时器|倒计时)", "{0}分钟后(提醒|叫)我"),
        "status",
        lambda r: r.choice(("running", "started", "set")),
        "The timer for {0} minutes is {result}.",
        "{0}分钟的计时器：{result}。",
    ),
    Tool(
        ("search", "find", "look_up", "query"),
        ("web", "internet", "online", "news", "articles"),
        "Search for a text.",
        (Parameter(("query", "text", "keywords", "q", "search_term"), "string", _word),),
        (
            "(search|look|google) (the web |the internet |online |)for {0}",
            "(find|search) (articles|news|information|pages) (about|on) {0}",
            "what (is new|is the news) about {0}?",
            "look up {0}",
        ),
        ("(搜索|搜一下|查找|搜){0}", "(上网|在网上)(查|搜)(一下|){0}", "有关{0}的(新闻|消息|资料)"),
        "hits",
        lambda r: f"{r.randint(1, 90)} pages",
        "For {0} I found {result}.",
        "关于{0}找到：{result}。",
    ),
    Tool(
        ("convert", "exchange", "change"),
        ("currency", "money", "amount"),
        "Convert an amount of money.",
        (
            Parameter(("amount", "value", "sum"), "integer", lambda r: r.randint(2, 999)),
            Parameter(("from", "from_currency", "source"), "string", lambda r: r.choice(("EUR", "USD", "GBP", "JPY"))),
            Parameter(("to", "to_currency", "target"), "string", lambda r: r.choice(("CHF", "CNY", "SEK", "INR"))),
        ),
        (
            "(convert|change|exchange) {0} {1} (to|into) {2}",
            "how much is {0} {1} in {2}?",
            "{0} {1} in {2}",
            "what are {0} {1} worth in {2}",
        ),
        ("(把|将) {0} {1} (换成|兑换成|换算成) {2}", "{0} {1} 等于多少 {2}？"),
        "result",
        lambda r: r.randint(2, 9999),
        "{0} {1} are {result} {2}.",
        "{0} {1} 是 {result} {2}。",
    ),
    Tool(
        ("turn", "switch", "set", "control"),
        ("light", "lamp", "lights", "heating", "fan"),
        "Switch something in a room.",
        (
            Parameter(("room", "place", "area"), "string", lambda r: r.choice(_ROOMS)),
            Parameter(("state", "mode", "power"), "string", lambda r: r.choice(("on", "off")), ("on", "off")),
        ),
        (
            "(turn|switch) {1} the {noun} in the {0}",
            "(turn|switch) the {0} {noun} {1}",
            "{0} {noun} {1}",
            "please (turn|switch) the {noun} in the {0} {1}",
        ),
        ("把 {0} 的 {noun} 设为 {1}", "{0} 的 {noun} {1}"),
        "state",
        lambda r: r.choice(("done", "ok", "changed")),
        "The {0} is switched {1}: {result}.",
        "{0} 已设为 {1}：{result}。",
    ),
    Tool(
        ("play", "start", "stream"),
        ("music", "song", "track", "audio", "radio"),
        "Play music.",
        (Parameter(("title", "song", "query", "name"), "string", _word),),
        ("play {0}", "(play|put on) (some |)music by {0}", "I want to (hear|listen to) {0}", "start (playing |){0}"),
        ("(播放|放|放一首){0}", "我想听{0}"),
        "status",
        lambda r: r.choice(("playing", "started")),
        "{0}: {result}.",
        "{0}：{result}。",
    ),
    Tool(
        ("add", "create", "make", "book"),
        ("event", "appointment", "meeting", "calendar_entry"),
        "Put an event into the calendar.",
        (
            Parameter(("title", "name", "what"), "string", _word),
            Parameter(("date", "day", "when"), "string", ENGLISH["date"]),
        ),
        (
            "(add|put) {0} (to|in|into) my calendar (on|for) {1}",
            "(make|create|book) an (appointment|event) {0} (on|for) {1}",
            "schedule {0} (for|on) {1}",
        ),
        ("(在|于) {1} (添加|创建|安排)(日程|会议) {0}", "(把|将) {0} 加到 {1} 的日历"),
        "status",
        lambda r: r.choice(("saved", "created", "added")),
        "{0} on {1}: {result}.",
        "{1} 的 {0}：{result}。",
    ),
    Tool(
        (*_GET, "track"),
        ("order", "parcel", "shipment", "package", "delivery"),
        "Get the state of an order.",
        (Parameter(("order_id", "id", "number", "reference"), "string", ENGLISH["order"]),),
        (
            "where is (my |the |){noun} {0}?",
            "(track|check|look up) (my |the |){noun} {0}",
            "(what is the |)(status|state) of {noun} {0}",
            "has {noun} {0} (arrived|been sent|left)(|?| yet)",
        ),
        ("(订单|包裹|快递) {0} (到哪了|在哪里|的状态)", "(查询|查一下)(订单|包裹) {0}"),
        "state",
        lambda r: r.choice(("shipped", "delivered", "on its way", "lost", "packed")),
        "{0} is {result}.",
        "{0} 的状态：{result}。",
    ),
    Tool(
        (*_GET, "search"),
        ("customer", "contact", "person", "user", "employee", "phone_number"),
        "Find a person.",
        (Parameter(("name", "full_name", "person", "who"), "string", ENGLISH["name"]),),
        (
            "(find|look up|search|get) (the |)({noun}|contact) {0}",
            "(what is|what's) the (phone number|number|phone) of {0}?",
            "(who is|do we know) {0}",
            "give me the (contact|phone number|data) of {0}",
        ),
        ("(查找|查|找){0}的(电话|联系方式|资料)", "{0}的(电话|号码)是多少？"),
        "phone",
        ENGLISH["phone"],
        "{0}: {result}.",
        "{0}：{result}。",
    ),
    Tool(
        (*_GET, "get"),
        ("stock", "price", "quote", "share_price", "stock_price"),
        "Get the price of a share.",
        (
            Parameter(
                ("symbol", "ticker", "company", "stock"),
                "string",
                lambda r: "".join(r.choice("ABCDEFGHKLMNPRSTXZ") for _ in range(r.randint(2, 4))),
            ),
        ),
        (
            "(what is|what's) the (price|share price|stock price) of {0}?",
            "how (much is|is|does) {0} (stock|trade|doing)(|?| today)",
            "(stock|share|price) {0}",
            "get (me |)the (quote|price) (of|for) {0}",
        ),
        ("{0}(的|)股价(是多少|)(？|)", "(查|查询){0}股票(价格|)"),
        "price",
        lambda r: f"{r.randint(1, 900)}.{r.randint(10, 99)}",
        "{0} is at {result}.",
        "{0} 的价格是 {result}。",
    ),
    Tool(
        ("translate", "convert"),
        ("text", "word", "phrase", "sentence"),
        "Translate a text.",
        (
            Parameter(("text", "phrase", "input"), "string", _word),
            Parameter(
                ("language", "target", "to", "target_language"),
                "string",
                lambda r: r.choice(("French", "German", "Spanish", "Chinese", "Italian", "Dutch")),
            ),
        ),
        ("translate {0} (to|into) {1}", "(what is|how do you say) {0} in {1}?", "{0} in {1}"),
        ("(把|将) {0} (翻译|译)成 {1}", "{0} 用 {1} 怎么说？"),
        "translation",
        made_up_word,
        "{0} in {1}: {result}.",
        "{0} 的 {1} 译文：{result}。",
    ),
    Tool(
        ("create", "add", "save", "write"),
        ("note", "reminder", "task", "todo", "memo"),
        "Save a note.",
        (Parameter(("text", "content", "note", "title"), "string", _word),),
        (
            "(add|write|make|save|create) a {noun}(:| about| saying) {0}",
            "(note|remember|write down)(:|) {0}",
            "remind me (of|about) {0}",
            "put {0} on my (list|todo list)",
        ),
        ("(记下|记住|记一下)(：|){0}", "(添加|新建|写)一条(备忘|笔记|提醒)(：|){0}"),
        "status",
        lambda r: r.choice(("saved", "noted", "stored")),
        "{0} is {result}.",
        "{0}：{result}。",
    ),
    Tool(
        ("book", "reserve", "find", "search"),
        ("flight", "train", "ticket", "bus", "trip"),
        "Find a connection between two cities.",
        (
            Parameter(("from", "origin", "departure", "start"), "string", ENGLISH["city"]),
            Parameter(("to", "destination", "arrival", "end"), "string", ENGLISH["city"]),
        ),
        (
            "(book|find|reserve) (me |)a {noun} from {0} to {1}",
            "{noun} from {0} to {1}",
            "I (want|need|have) to (travel|go|get) from {0} to {1}",
            "how do I get from {0} to {1}?",
        ),
        ("从{0}到{1}的(机票|火车票|航班)", "(订|买)一张{0}到{1}的(票|机票|火车票)"),
        "connection",
        lambda r: f"{made_up_word(r).upper()[:2]}{r.randint(100, 999)}",
        "From {0} to {1}: {result}.",
        "{0}到{1}：{result}。",
    ),
    Tool(
        ("roll", "throw", "generate", "random"),
        ("dice", "number", "random_number", "integer"),
        "Draw a random number up to a maximum.",
        (Parameter(("max", "maximum", "sides", "upper"), "integer", lambda r: r.randint(2, 100)),),
        (
            "(give|draw|pick|generate) (me |)a random number (up to|below|from 1 to) {0}",
            "roll a (die|dice) with {0} sides",
            "random number (up to|until) {0}",
        ),
        ("(给我|生成|来)一个 1 到 {0} 的随机数", "掷一个 {0} 面的骰子"),
        "number",
        lambda r: r.randint(1, 100),
        "The number is {result}.",
        "数字是 {result}。",
    ),
)
HELD_OUT = (
    Tool(
        ("read", "measure"),
        ("sensor", "humidity"),
        "Read a sensor.",
        (Parameter(("sensor", "sensor_name"), "string", lambda r: made_up_word(r)),),
        ("what does the sensor {0} say?", "Read out {0} for me, please."),
        ("传感器 {0} 读数多少？",),
        "value",
        lambda r: r.randint(1, 99),
        "The value is {result}.",
        "读数是 {result}。",
    ),
    Tool(
        ("open", "close"),
        ("door", "gate"),
        "Open a door.",
        (Parameter(("door", "door_id"), "string", lambda r: r.choice(_ROOMS)),),
        ("Could the door to the {0} be opened?", "I stand before the {0} and cannot get in"),
        ("打开 {0} 的门",),
        "status",
        lambda r: "open",
        "The {0} is {result}.",
        "{0}：{result}。",
    ),
)
