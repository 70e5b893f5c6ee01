import iconv from 'iconv-lite';
import type { Misbehaviour } from './misbehaviour.js';

/** What stands raw in a name or address where `unescapedXml` is on. */
export const RAW_TEXT = 'A&B <1#> 口';

/** A correct MANSCDP body as sloppy firmware writes it. Without any of the options it is returned as it is. */
export function disfigure(body: Buffer, charset: 'GB2312' | 'GB18030', misbehaviour: Misbehaviour): Buffer {
  const { unescapedXml, xmlNoProlog, xmlLeadingBlanks, xmlSpacedValues, xmlCmdTypeAttribute, xmlOddIntegers, xmlParentPath, xmlCharset } = misbehaviour;
  if (!(unescapedXml || xmlNoProlog || xmlLeadingBlanks || xmlSpacedValues || xmlCmdTypeAttribute || xmlOddIntegers || xmlParentPath || xmlCharset !== 'right')) return body;
  let text = iconv.decode(body, charset);
  if (unescapedXml) text = text.replace(/<(Name|Address)>[^<]*</g, `<$1>${RAW_TEXT}<`);
  if (xmlOddIntegers) text = text.replace(/<(Parental|Secrecy)>\d+</g, '<$1>65535<').replace(/<(SafetyWay)>\d+</g, '<$1><').replace(/<RegisterWay>\d+<\/RegisterWay>/g, '<RegisterWay/>');
  if (xmlParentPath) text = text.replace(/<ParentID>(\d+)</g, '<ParentID>$1/$1216<');
  if (xmlSpacedValues) text = text.replace(/>([^<>\r\n]+)</g, '>\r\n  $1 \r\n<');
  if (xmlCmdTypeAttribute) text = text.replace(/<(Notify|Response)>\s*<CmdType>\s*(\w+)\s*<\/CmdType>/, '<$1 CmdType="$2">');
  if (xmlNoProlog) text = text.replace(/^<\?xml[^>]*>\s*/, '');
  if (xmlLeadingBlanks) text = `\r\n  \r\n${text}`;
  const says = (name: string): string => text.replace(/encoding="[^"]*"/, `encoding="${name}"`);
  switch (xmlCharset) {
    case 'utf8-says-gb2312':
      return Buffer.from(says('GB2312'), 'utf8');
    case 'gb2312-says-utf8':
      return iconv.encode(says('UTF-8'), 'GB2312');
    case 'utf8-with-bom':
      return Buffer.concat([Buffer.from([0xef, 0xbb, 0xbf]), Buffer.from(says('UTF-8'), 'utf8')]);
    default:
      return iconv.encode(text, charset);
  }
}
