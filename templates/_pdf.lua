-- From the pages' Markdown to Typst: answer boxes, figures with alt text and caption, formulas with alt text.

local function quoted(text)
  return '"' .. text:gsub('\\', '\\\\'):gsub('"', '\\"'):gsub('%s+', ' ') .. '"'
end

-- Formulas are read aloud from their source without TeX's marks.
local function spoken(tex)
  local text = tex:gsub('\\begin{%a+}', ''):gsub('\\end{%a+}', ''):gsub('\\\\', ', '):gsub('\\[,;! ]', ' ')
  text = text:gsub('\\text', ''):gsub('\\frac{(.-)}{(.-)}', '(%1) / (%2)'):gsub('\\', ''):gsub('[{}&]', '')
  return (text:gsub('^%s+', ''):gsub('%s+$', ''))
end

-- Text as a Typst string: as markup, '=' or '-' could begin a heading or a list, '...' and '-1' would change their characters.
local function literal(text)
  return '#' .. quoted(text) .. ';'
end

local function Str(str)
  if not str.text:match('^[%a\128-\255]+[,.;:]?$') then
    return pandoc.RawInline('typst', literal(str.text))
  end
end

local function in_typst(math)
  local typst = pandoc.write(pandoc.Pandoc({ pandoc.Plain({ math }) }), 'typst'):gsub('%s+$', '')
  typst = typst:gsub('%f[%a](%a+)%.circle%f[^%a%.]', '%1.o') -- pandoc writes dot.circle, which Typst has renamed
  local block = math.mathtype == 'DisplayMath' and 'true' or 'false'
  local code = '#math.equation(block: ' .. block .. ', alt: ' .. quoted(spoken(math.text)) .. ', ' .. typst .. ')'
  if math.text:match('^\\displaystyle') then -- pandoc drops the command, and lines do not make room for what is tall
    code = '#box(inset: (y: 0.25em), {show math.equation: math.display; ' .. code:sub(2) .. '})'
  end
  return code
end

local written = {} -- formulas repeat, and each costs a run of the writer

local function Math(math)
  local key = math.mathtype .. math.text
  written[key] = written[key] or in_typst(math)
  return pandoc.RawInline('typst', written[key])
end

-- Keeps a block on the page of what follows it.
local function sticky(block)
  return { pandoc.RawBlock('typst', '#block(sticky: true)['), block, pandoc.RawBlock('typst', ']') }
end

local function Para(para)
  local image = para.content[1]
  if #para.content == 1 and image.t == 'Image' then
    local alt = quoted(pandoc.utils.stringify(image.caption))
    return pandoc.RawBlock('typst',
      '#figure(image("' .. image.src .. '", alt: ' .. alt .. '), caption: [' .. literal(image.title) .. '])')
  end
  if pandoc.utils.stringify(para):match(':$') then
    return sticky(para)
  end
end

-- A short table stays on one page.
local function Table(tbl)
  if #tbl.bodies[1].body <= 16 then
    return { pandoc.RawBlock('typst', '#block(breakable: false)['), tbl, pandoc.RawBlock('typst', ']') }
  end
end

local function Div(div)
  if div.classes:includes('answer') then
    local blocks = pandoc.List({ pandoc.RawBlock('typst', '#answer[') })
    blocks:extend(sticky(div.content:remove(1)))
    blocks:extend(div.content)
    blocks:insert(pandoc.RawBlock('typst', ']'))
    return blocks
  end
end

-- Text comes last, as what stands before reads it.
return { { Math = Math, Para = Para, Table = Table, Div = Div }, { Str = Str } }
