-- What the web answers: the fate is in the URL, /run/fate/milliseconds/picture/number.jpg. `plain_web.py` says the same
-- in Python, for machines without Lua; a test holds them together. Pictures lie in the folder that $pictures names.

local LONGEST_DRIP = 40 -- seconds
local RECOVERY = 1.0 -- seconds that a recovering host needs, from its first request on

local function content(name)
    local file = assert(io.open(ngx.var.pictures .. name, "rb"))
    local bytes = file:read("*a")
    file:close()
    return bytes
end

local function send(name)
    return function() return ngx.exec("/pictures/" .. name) end
end

local function status(code)
    return function()
        ngx.status = code
        ngx.header["Content-Type"] = "text/html"
        ngx.say("<html><body>This is not what you were looking for.</body></html>")
    end
end

local function is_first(key)
    return (ngx.shared.seen:add(key, ngx.now()))
end

local answers = {
    missing = status(404),
    gone = status(410),
    page = status(200),
    parked = send("parked.jpg"),
}

function answers.alive(asked)
    return send(asked.picture .. ".jpg")()
end

function answers.busy(asked)
    if is_first(asked.run .. "/" .. asked.number) then
        ngx.header["Retry-After"] = "1"
        return status(429)()
    end
    return answers.alive(asked)
end

function answers.recovering(asked)
    local key = asked.run .. "@" .. ngx.var.host
    is_first(key)
    if ngx.now() - ngx.shared.seen:get(key) < RECOVERY then
        return status(503)()
    end
    return answers.alive(asked)
end

function answers.placeholder()
    return ngx.redirect("/images/photo_unavailable.png", 302)
end

function answers.cut(asked)
    local body = content(asked.picture .. ".jpg")
    ngx.header["Content-Length"] = #body
    ngx.print(body:sub(1, math.floor(#body / 2)))
    ngx.flush(true)
    return ngx.exit(444) -- closes the connection
end

function answers.drip(asked)
    local body = content(asked.picture .. ".jpg")
    ngx.header["Content-Length"] = #body
    local step = math.ceil(#body / LONGEST_DRIP)
    for start = 1, #body, step do
        ngx.print(body:sub(start, start + step - 1))
        if not ngx.flush(true) then return end
        ngx.sleep(1)
    end
end

local run, fate, latency, picture, number = ngx.var.uri:match("^/(%w+)/(%l+)/(%d+)/(%d+)/(%d+)%.jpg$")
local answer = answers[fate]
if not answer then
    return status(404)()
end
if tonumber(latency) > 0 then
    ngx.sleep(tonumber(latency) / 1000)
end
ngx.header["Content-Type"] = "image/jpeg"
return answer({run = run, picture = picture, number = number})
