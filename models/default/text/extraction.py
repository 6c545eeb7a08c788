"""A short text and the names of fields: the answer is one JSON object with what the text says of each, or null.

A value that is a whole number stays a number, everything else is copied as text, letter by letter.
"""

import json
from random import Random

from .grammar import expand
from .topic import Turn
from .values import CHINESE, ENGLISH

_KEYS = {
    "name": ("name", "name", "name", "person", "customer", "full_name", "who", "client"),
    "city": ("city", "city", "city", "place", "town", "location", "where"),
    "date": ("date", "date", "date", "day", "when", "due_date"),
    "amount": ("amount", "amount", "price", "total", "cost", "sum"),
    "email": ("email", "email", "e-mail", "mail", "email_address", "contact"),
    "phone": ("phone", "phone", "phone_number", "telephone", "mobile"),
    "company": ("company", "company", "employer", "firm", "organization"),
    "product": ("product", "product", "item", "article", "goods"),
    "quantity": ("quantity", "quantity", "count", "number", "pieces"),
    "time": ("time", "time", "hour", "start_time"),
    "order": ("order", "order_id", "order_number", "id", "reference"),
    "age": ("age", "age", "years"),
    "job": ("job", "job", "profession", "occupation", "role"),
}
_CHINESE_KEYS = {
    "name": ("姓名", "姓名", "名字", "客户", "name", "人名"),
    "city": ("城市", "城市", "地点", "地方", "city"),
    "date": ("日期", "日期", "date", "哪天"),
    "amount": ("金额", "金额", "价格", "总价", "amount", "费用"),
    "email": ("邮箱", "邮箱", "电子邮件", "email", "邮件地址"),
    "phone": ("电话", "电话", "手机号", "phone", "联系电话"),
    "company": ("公司", "公司", "单位", "company"),
    "product": ("商品", "产品", "物品", "product"),
    "quantity": ("数量", "数量", "件数", "quantity"),
    "time": ("时间", "时间", "time", "几点"),
    "order": ("订单号", "订单号", "编号", "order_id"),
    "age": ("年龄", "年龄", "age", "岁数"),
    "job": ("职业", "职业", "工作", "job"),
}
_TEXTS: tuple[str, ...] = (
    (
        "{name} (lives in|is from|comes from|moved to|works in|is travelling to) {city}(| and is {age} years old| "
        "and was born on {date}| and works as a {job})."
    ),
    (
        "{name}(|, a {job}(| at {company})|, {age},|, {age} years old,| from {city}| of {company}) (ordered|bought|"
        "purchased|wants|returned) {quantity} {product}(| for {amount}| on {date}| for {amount} on {date})."
    ),
    (
        "(On {date}|At {time}|On {date} at {time}), {name} (flew to|arrived in|met us in|left for|will be in|drove "
        "to) {city}."
    ),
    (
        "(Order|Order number|Invoice|Ticket) {order}: {quantity} {product}(| for {name}|, {name}|, total {amount}|, "
        "to be sent to {name} in {city})."
    ),
    (
        "{name} (paid|owes|received|transferred|spent|earned) {amount}(| on {date}| in {city}| to {company}| for "
        "{product})."
    ),
    "(Please |)(contact|write to|reach|email) {name} at {email}(| or call {phone}| before {date}|, {company}).",
    (
        "(The meeting|The interview|Our appointment|The call|The party|The workshop) (with {name}|at {company}|) (is|"
        "takes place|starts|will be) (on {date} |)at {time}(| in {city})."
    ),
    (
        "My name is {name}(| and I am {age}| and I live in {city}|, I work for {company}| and my number is {phone}). "
        "(|My email is {email}.|You can reach me at {email}.|I am a {job}.)"
    ),
    "{company} (opened an office in|is based in|has its seat in|closed its shop in) {city}(| in {date}| on {date}).",
    "{name}, {phone}, {email}(|, {city}|, {company}).",
    "Invoice from {company}, {date}: {quantity} {product}, (total|sum|amount) {amount}.",
    "(The|A) {job} {name} (turned {age}|celebrated on {date}|called from {phone}|moved to {city}).",
    (
        "{name} wrote: (I will arrive in {city} on {date}|please send {quantity} {product}|the price of {amount} is "
        "too high|call me at {phone}|let us meet at {time})."
    ),
    "{company} (hired|employs|promoted) {name}(| as a {job}|, {age},) (|on {date}|in {city}).",
    (
        "(Hello|Hi|Dear team), (this is {name} from {company}|I am {name}). (I need {quantity} {product} by {date}|"
        "We paid {amount} on {date}|My order {order} has not arrived in {city})."
    ),
    "(The|Our) {product} (cost|costs|are sold for|were sold for) {amount}(| in {city}| at {company}).",
    "{name} from {company} (sent|delivered|shipped|offered) us {quantity} {product}(| for {amount}| on {date}).",
    "(We|They) (meet|met|will see) {name}(, {job},|) (in {city}|at {company}) on {date}(| at {time}).",
    "(Last|Next) week {name} (told|wrote to|asked) {company} (about|for) {quantity} {product}(| and paid {amount}).",
    "(Call|Phone|Ring) {phone} and ask for {name}(| about order {order}| of {company}).",
    "{quantity} {product} (go|went|are going) to {name}(| in {city})(|, {amount}), (order|reference) {order}.",
    "(Since|On|From) {date} {name}(, aged {age},|) (has worked|works|worked) (at {company}|as a {job}|in {city}).",
    "(The bill|The fee|The fare) (of|is) {amount} (was paid by|for|is due from) {name}(| on {date}| in {city}).",
    "(Flight|Train|Bus) to {city} on {date} at {time}(|, passenger {name}|, price {amount}|, {name}, {amount}).",
    (
        "{name} is {age}(| years old)(|, lives in {city}) and (works as a {job}|can be reached at {email}|works for "
        "{company})."
    ),
)
_TEXTS_HELD_OUT: tuple[str, ...] = (
    "Yesterday {name} told me that the trip to {city} on {date} costs {amount}.",
    "For the delivery of {quantity} {product} to {city} we charge {amount}; questions go to {email}.",
    "{name} joined {company} on {date} and earns {amount}.",
    "Reservation for {name}, {date}, {time}, phone {phone}.",
)
_CHINESE_TEXTS: tuple[str, ...] = (
    "{name}(住在|来自|搬到了|在){city}(|，今年{age}岁|工作|，职业是{job})。",
    "{name}(购买|订购|买|退回)了{quantity}(个|件|台){product}(|，共{amount}|，花了{amount})。",
    "{date}(|{time})，{name}(到达|飞往|去了|前往|抵达){city}。",
    "订单{order}：{product}{quantity}件(|，收货人{name}|，总价{amount}|，寄往{city})。",
    "{name}(支付了|收到了|欠|转账){amount}(|，日期是{date}|，地点{city})。",
    "请联系{name}，(邮箱|邮件地址是|电子邮件){email}(|，电话{phone})。",
    "(会议|面试|聚会|培训)(定于|安排在|将于){date}{time}(|在{city}举行|，联系人{name})。",
    "我(叫|是){name}(|，今年{age}岁|，住在{city}|，在{company}工作|，电话是{phone})(|，邮箱是{email}|，是一名{job})。",
    "{company}(位于|总部在|在{date}搬到){city}。",
    "{name}，{phone}，{email}(|，{city}|，{company})。",
    "{company}(聘用|录用)了{name}(|，职位是{job}|，{age}岁)。",
    "{product}(售价|的价格是|卖){amount}(|，在{city}有售)。",
    "{date}去{city}的(航班|火车)，{time}出发(|，乘客{name}|，票价{amount})。",
    "{company}的{name}(送来|寄来|发来)了{quantity}(个|件|台){product}(|，价格{amount}|，日期{date})。",
    "(预订|预约|订位)：{name}，{date}(|，{time})(|，电话{phone}|，邮箱{email})。",
    "(请|)拨打{phone}找{name}(|，订单{order}|，公司{company})。",
    "{name}(去年|上周|今天)(在{city}|从{company})(买|订)了{product}(|{quantity}件)(|，付了{amount})。",
    "(费用|票价|账单)(是|共){amount}，(由{name}支付|{name}在{date}支付)(|，地点{city})。",
)
_CHINESE_TEXTS_HELD_OUT: tuple[str, ...] = (
    "昨天{name}说{date}要去{city}，预算是{amount}。",
    "{name}于{date}加入{company}，联系电话{phone}。",
    "向{city}发{quantity}件{product}，运费{amount}。",
)
_ORDERS: tuple[str, ...] = (
    (
        "(Extract|Pull out|Get|Find|Take|Read) (the |){fields} (from|out of) (this|the following|the) (text|sentence|"
        "message|note)(| as JSON| and answer in JSON| and return JSON|, as a JSON object): {text}"
    ),
    (
        "(Return|Give me|Answer with|Write|Produce|Output|Reply with) (a |one |)JSON (object |)with (the (fields|"
        "keys) |){fields}(|.| for this text| from this sentence): {text}"
    ),
    "{text}{newline}(Extract|Return|Give me|Find) (the |){fields}(| as JSON| in JSON).",
    "{text} (Extract|Give|Return) {fields} as JSON.",
    "(Turn|Convert|Change|Put) this into JSON with {fields}: {text}",
    "JSON with {fields}: {text}",
    "(Fields|Keys|JSON fields|Extract): {fields}(.|) Text: {text}",
    "(Extract as JSON|Extract to JSON|As JSON|To JSON): {fields}{newline}{text}",
    "(What are|Tell me) the {fields} in this (text|message|sentence)? (Answer|Reply) (in|as|with) JSON(| only): {text}",
    '(From|In) the (sentence|text) "{text}" (extract|find|return) {fields} as JSON.',
    "(Here is|This is) (a|my|the) (text|note|mail|message): {text} (Give me|Extract|I want) (the |){fields} as JSON.",
    "(I want|We need|Can you get|Could you extract) {fields}( as JSON| in JSON|) (from|out of) (this|the text): {text}",
    "{fields}(, please| as JSON|?| in JSON): {text}",
    "(Text|Input|Message|Sentence): {text}{newline}(Fields|Keys|Output|JSON): {fields}",
    "(Fill|Complete) a JSON (object|record|form) with {fields} (using|from) (this|the text): {text}",
    "(Make|Build|Create|Form) a JSON object (of|from) this (text|sentence), (with|fields|keys) {fields}. {text}",
    "(Which|What) {fields} (does|do) (this|the text) (name|mention|give)? JSON(|, please|.) {text}",
    "{newline}{text}{newline}{newline}(As JSON|JSON|In JSON)(:|, with|, keys) {fields}",
    "(Summarize|Summarise|Structure|Describe) (this|the text) as JSON (with|having) {fields}: {text}",
    "(Analyze|Scan|Look at|Study) (this|the) (text|line|message) and (report|list|output) {fields} as JSON: {text}",
)
_ORDERS_HELD_OUT: tuple[str, ...] = (
    "Please read this and fill in {fields} as a JSON object: {text}",
    "I need {fields} in JSON format. Here is the message: {text}",
    "Parse the following. Keys: {fields}. {text}",
)
_CHINESE_ORDERS: tuple[str, ...] = (
    (
        "(从|请从)(下面的|以下|这句|下列)(文字|文本|句子|话|内容)(中|里)(提取|抽取|找出){fields}(，用 JSON 回答|，以 "
        "JSON 格式输出|，返回 JSON|)：{text}"
    ),
    "(提取|抽取|找出){fields}(，|)(输出 JSON|返回 JSON|用JSON表示|)：{text}",
    "{text}(请|)(提取|找出)(其中的|){fields}(，用 JSON 输出|，返回 JSON|)。",
    "(返回|输出|给我)(一个|)(包含|含有|带有) {fields} 的 JSON：{text}",
    "(把|将)(下面|以下)(内容|文字)(转成|转换为|变成) JSON，字段(为|是|：){fields}：{text}",
    "字段：{fields}{newline}(文本：|){text}",
    "{text}{newline}(JSON|输出JSON|提取为JSON)：{fields}",
    "(这是|下面是)(一段话|一条消息|一句话)：{text}(请|)(给出|列出|提取){fields}，(用|以) JSON (表示|输出|回答)。",
    "(文本|输入|内容)：{text}{newline}(字段|键|输出)：{fields}",
    "(分析|整理|看看)(这句话|这段文字|下面的话)，(用 JSON |以 JSON )(给出|列出|写出){fields}：{text}",
    "(想要|需要|请给出){fields}(，JSON 格式|，用 JSON|)：{text}",
    "(这句话|下面的话)里的{fields}(是什么|分别是什么)？(用 JSON 回答|输出 JSON)。{text}",
)
_CHINESE_ORDERS_HELD_OUT: tuple[str, ...] = (
    "请阅读并填写{fields}，结果用 JSON 对象：{text}",
    "我需要 JSON，键为{fields}。内容如下：{text}",
)


def example(random: Random, held_out: bool = False) -> list[Turn]:
    """Return a request and the JSON object that answers it; held-out texts and requests occur in no other example."""
    chinese = random.random() < 0.35
    if chinese:
        texts, orders = (
            (_CHINESE_TEXTS_HELD_OUT, _CHINESE_ORDERS_HELD_OUT) if held_out else (_CHINESE_TEXTS, _CHINESE_ORDERS)
        )
    else:
        texts, orders = (_TEXTS_HELD_OUT, _ORDERS_HELD_OUT) if held_out else (_TEXTS, _ORDERS)
    kinds, values = (_CHINESE_KEYS, CHINESE) if chinese else (_KEYS, ENGLISH)
    pattern = expand(random.choice(texts), random)
    said = [kind for kind in kinds if f"{{{kind}}}" in pattern]
    filled = {kind: values[kind](random) for kind in said}
    asked = random.sample(said, random.randint(1, min(4, len(said))))
    if random.random() < 0.15:
        asked.insert(random.randrange(len(asked) + 1), random.choice([kind for kind in kinds if kind not in said]))
    keys = {kind: random.choice(kinds[kind]) for kind in asked}
    text = pattern.format(**filled)
    answer = json.dumps({keys[kind]: _typed(filled.get(kind)) for kind in asked}, ensure_ascii=False)
    order = expand(random.choice(orders), random)
    request = (
        order.replace("{newline}", "\n")
        .replace("{fields}", _listed(list(keys.values()), chinese, random))
        .replace("{text}", text)
    )
    return [("user", request), ("assistant", answer)]


def _typed(value: str | None) -> str | int | None:
    return int(value) if value is not None and value.isdigit() and len(value) < 4 else value


def _listed(keys: list[str], chinese: bool, random: Random) -> str:
    form = random.random()
    if form < 0.15:
        return ", ".join(f'"{key}"' for key in keys)
    if form < 0.5 or len(keys) == 1:
        return ("、" if chinese else ", ").join(keys)
    last = ("和" if chinese else " and ") + keys[-1]
    return ("、" if chinese else ", ").join(keys[:-1]) + last
