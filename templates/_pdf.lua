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

-- Fractions in a table's cells, which need room above and below; lines of a derivation have it.
local roomy = {}

-- Formulas repeat, and each run of the writer costs milliseconds: all different ones are written in one run, a block each.
local written = {}

local function key(math)
  return math.mathtype .. math.text
end

local function write_formulas(doc)
  local formulas, blocks = pandoc.List(), pandoc.List()
  doc:walk({ Math = function(math)
    if not written[key(math)] then
      written[key(math)] = true
      formulas:insert(math)
      blocks:extend({ pandoc.Plain({ math }), pandoc.RawBlock('typst', '%%%%') })
    end
  end })
  local typst = pandoc.write(pandoc.Pandoc(blocks), 'typst')
  for _, math in ipairs(formulas) do
    local first, last = typst:find('%%%%', 1, true)
    written[key(math)] = typst:sub(1, first - 1):gsub('^%s+', ''):gsub('%s+$', '')
    typst = typst:sub(last + 1)
  end
end

local function in_typst(math)
  local typst = written[key(math)]
  typst = typst:gsub('%f[%a](%a+)%.circle%f[^%a%.]', '%1.o') -- pandoc writes dot.circle, which Typst has renamed
  local block = math.mathtype == 'DisplayMath' and 'true' or 'false'
  local code = '#math.equation(block: ' .. block .. ', alt: ' .. quoted(spoken(math.text)) .. ', ' .. typst .. ')'
  if math.text:match('^\\displaystyle') then -- pandoc drops the command, and lines do not make room for what is tall
    code = '#box(inset: (y: ' .. (roomy[math.text] and '0.15em' or '-0.1em') .. '), {set text(top-edge: "bounds", bottom-edge: "bounds"); show math.equation: math.display; ' .. code:sub(2) .. '})'
  end
  return code
end

local function Math(math)
  return pandoc.RawInline('typst', in_typst(math))
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
end

local function is_formula(block)
  return block and block.t == 'Para' and #block.content == 1 and block.content[1].mathtype == 'DisplayMath'
end

-- What leads to a formula, or ends with a colon, stays with what follows.
local function Blocks(blocks)
  local kept = pandoc.List()
  for place, block in ipairs(blocks) do
    local leads = block.t == 'Para' and not is_formula(block)
      and (is_formula(blocks[place + 1]) or pandoc.utils.stringify(block):match(':$'))
    kept:extend(leads and sticky(block) or { block })
  end
  return kept
end

-- Pandoc loses this space behind a comma.
local function spaced(math)
  math.text = math.text:gsub('\\;', '\\ ')
  return math
end

-- Lines break between the items of a list, not within one.
local function unbroken(math)
  local items = pandoc.Inlines({})
  for item in (math.text .. ',\\ '):gmatch('(.-),\\ ') do
    items:extend({ pandoc.RawInline('typst', '#box['), pandoc.Math(math.mathtype, item), pandoc.RawInline('typst', ']'),
      pandoc.Str(','), pandoc.Space() })
  end
  return #items == 5 and math or pandoc.Inlines({ table.unpack(items, 1, #items - 2) })
end

-- In a table a number that is a fraction stands on one line, and any other fraction in full size.
local function legible(tbl)
  return tbl:walk({ Math = function(math)
    math.text = math.text:gsub('^(-?)\\frac{([%d\\,]+)}{([%d\\,]+)}', '%1%2/%3')
    if math.text:match('\\frac') and not math.text:match('^\\displaystyle') then
      math.text = '\\displaystyle ' .. math.text
      roomy[math.text] = true
    end
    return unbroken(math)
  end })
end

-- A short table stays on one page.
local function Table(tbl)
  if #tbl.bodies[1].body <= 16 then
    return { pandoc.RawBlock('typst', '#block(breakable: false)['), tbl, pandoc.RawBlock('typst', ']') }
  end
end

-- Headed tables in two halves of about one height, which stand side by side where the page is wide enough.
local function side_by_side(blocks)
  local left, all, taken = pandoc.List(), 0, 0
  local function height(block)
    return block.t == 'Table' and #block.bodies[1].body + 3 or 0
  end
  for _, block in ipairs(blocks) do
    all = all + height(block)
  end
  while #blocks > 0 and 2 * taken < all do
    taken = taken + height(blocks[1])
    left:insert(blocks:remove(1))
  end
  left:insert(1, pandoc.RawBlock('typst', '#side-by-side['))
  left:insert(pandoc.RawBlock('typst', ']['))
  left:extend(blocks)
  left:insert(pandoc.RawBlock('typst', ']'))
  return left
end

local function Div(div)
  if div.classes:includes('side-by-side') then
    return side_by_side(div.content)
  end
  if div.classes:includes('answer') then
    local blocks = pandoc.List({ pandoc.RawBlock('typst', '#answer[') })
    blocks:extend(sticky(div.content:remove(1)))
    blocks:extend(div.content)
    blocks:insert(pandoc.RawBlock('typst', ']'))
    return blocks
  end
end

-- Formulas are recognized before they are written, and text comes last, as what stands before reads it.
return {
  { Math = spaced },
  { Table = legible },
  { Pandoc = write_formulas },
  { Div = Div, Blocks = Blocks },
  { Math = Math, Para = Para, Table = Table },
  { Str = Str },
}
