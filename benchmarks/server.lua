-- Responds to /run/behaviour/milliseconds/picture/number.jpg with the pictures in the folder $pictures. The same in Python,
-- for machines without Lua: python_server.py; tests/benchmarks runs the same tests on both.

local LONGEST_DRIP = 40 -- seconds
local RECOVERY = 1.0 -- seconds of 503 from the first request to a recovering host

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

local behaviours = {
    missing = status(404),
    gone = status(410),
    page = status(200),
    parked = send("parked.jpg"),
}

function behaviours.alive(request)
    return send(request.picture .. ".jpg")()
end

function behaviours.busy(request)
    if is_first(request.run .. "/" .. request.number) then
        ngx.header["Retry-After"] = "1"
        return status(429)()
    end
    return behaviours.alive(request)
end

function behaviours.recovering(request)
    local key = request.run .. "@" .. ngx.var.host
    is_first(key)
    if ngx.now() - ngx.shared.seen:get(key) < RECOVERY then
        return status(503)()
    end
    return behaviours.alive(request)
end

function behaviours.placeholder()
    return ngx.redirect("/images/photo_unavailable.png", 302)
end

function behaviours.cut(request)
    local body = content(request.picture .. ".jpg")
    ngx.header["Content-Length"] = #body
    ngx.print(body:sub(1, math.floor(#body / 2)))
    ngx.flush(true)
    return ngx.exit(444) -- closes the connection
end

function behaviours.drip(request)
    local body = content(request.picture .. ".jpg")
    ngx.header["Content-Length"] = #body
    local step = math.ceil(#body / LONGEST_DRIP)
    for start = 1, #body, step do
        ngx.print(body:sub(start, start + step - 1))
        if not ngx.flush(true) then return end
        ngx.sleep(1)
    end
end

local run, behaviour, latency, picture, number = ngx.var.uri:match("^/(%w+)/(%l+)/(%d+)/(%d+)/(%d+)%.jpg$")
local respond = behaviours[behaviour]
if not respond then
    return status(404)()
end
if tonumber(latency) > 0 then
    ngx.sleep(tonumber(latency) / 1000)
end
ngx.header["Content-Type"] = "image/jpeg"
return respond({run = run, picture = picture, number = number})
